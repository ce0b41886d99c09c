import { CommandIDs } from '../commands';
import { JobFilters, JobList } from '../widgets/jobs';
import { job, jobEvent, pipeline } from './records';
import { button, Screen, settle } from './screen';

const API = '/base/dvmount/api';
let screen: Screen;

beforeEach(() => {
  screen = new Screen();
});
afterEach(() => {
  screen.dispose();
});

function serve(jobs: unknown[]): void {
  screen.server.on('GET', `${API}/jobs`, ({ query }) => {
    const from = Number(query.get('after') ?? 0);
    const to = from + Number(query.get('limit'));
    const next = to < jobs.length ? String(to) : null;
    return { body: { items: jobs.slice(from, to), next } };
  });
}

async function show(jobs: unknown[]): Promise<HTMLElement> {
  serve(jobs);
  const node = await screen.show(JobList);
  await screen.versions.jobs.refresh();
  await settle();
  return node;
}

describe('JobList', () => {
  it('says what a job is, and mounts its output with one click', async () => {
    const node = await show([job('edges')]);
    expect(node.textContent).toContain('edges01234567');
    expect(node.textContent).toContain('3 datums');
    button(node, 'Mount the output of edges@01234567').click();
    expect(screen.executed).toEqual([
      [CommandIDs.mountOutput, { pipeline: 'edges', id: job('edges').id }]
    ]);
  });

  it('shows how far a job is, and stops it', async () => {
    const datums = { total: 10, success: 3, skipped: 2, failed: 1, recovered: 0 };
    const node = await show([job('edges', { state: 'running', finished: null, datums })]);
    const progress = node.querySelector('[role=progressbar]');
    expect(progress?.getAttribute('aria-valuenow')).toBe('6');
    expect(progress?.getAttribute('aria-valuemax')).toBe('10');
    button(node, 'Stop job edges@01234567').click();
    expect(screen.executed[0][0]).toBe(CommandIDs.stopJob);
  });

  it('says why a job has failed, and runs again what has', async () => {
    const node = await show([job('edges', { state: 'failure', reason: '/a.png: exit status 1' })]);
    expect(node.textContent).toContain('failure: 3 datums');
    expect(node.querySelector('.dvm-Item-error')?.textContent).toBe('/a.png: exit status 1');
    button(node, 'Run again what has failed in edges@01234567').click();
    expect(screen.executed[0][0]).toBe(CommandIDs.rerunJob);
  });

  it('says what a job waits for', async () => {
    const datums = { total: 0, success: 0, skipped: 0, failed: 0, recovered: 0 };
    const waits = { state: 'created', reason: 'its image is missing', datums } as const;
    const node = await show([job('edges', waits)]);
    expect(node.textContent).toContain('waiting: its image is missing');
    expect(node.querySelector('.dvm-Item-error')).toBeNull();
  });

  it('follows the events of a job without asking the server', async () => {
    const node = await show([job('edges', { state: 'running', finished: null })]);
    const { length } = screen.server.requests;
    screen.versions.jobs.handle(jobEvent('edges', { state: 'finishing' }));
    await settle();
    expect(node.querySelector('.dvm-Dot')?.getAttribute('title')).toBe('finishing');
    expect(screen.server.requests).toHaveLength(length);
  });

  it('has only the jobs in the page that can be seen', async () => {
    const jobs = Array.from({ length: 5000 }, (_, number) =>
      job('edges', { id: number.toString(16).padStart(32, '0') })
    );
    const node = await show(jobs);
    while (screen.versions.jobs.list.hasMore) {
      await screen.versions.jobs.list.loadMore();
    }
    await settle();
    expect(screen.versions.jobs.list.items).toHaveLength(5000);
    const rows = node.querySelectorAll('[role=row]').length;
    expect(rows).toBeGreaterThan(5);
    expect(rows).toBeLessThan(60);
  });

  it('says what to do where there is none', async () => {
    const node = await show([]);
    expect(node.textContent).toContain('No jobs yet');
    screen.versions.jobs.show({ id: 'abc' });
    await settle(300);
    expect(node.textContent).toContain('No job fits the filter');
  });

  it('says what failed and tries again', async () => {
    const body = { code: 'unavailable', message: 'no database', fix: 'see to it' };
    screen.server.on('GET', `${API}/jobs`, () => ({ status: 503, body }));
    const node = await screen.show(JobList);
    await screen.versions.jobs.refresh();
    await settle();
    expect(node.querySelector('[role=alert]')?.textContent).toContain('no database');
    serve([job('edges')]);
    button(node, 'Try again').click();
    await settle();
    expect(node.textContent).toContain('edges');
  });
});

describe('JobFilters', () => {
  it('asks for the jobs of one pipeline and id', async () => {
    await show([job('edges')]);
    screen.server.on('GET', `${API}/pipelines`, () => ({
      body: { items: [pipeline('edges'), pipeline('train')] }
    }));
    await screen.versions.pipelines.refresh();
    const node = await screen.show(JobFilters);
    const options = [...node.querySelectorAll('option')].map(option => option.textContent);
    expect(options).toEqual(['All pipelines', 'edges', 'train']);
    screen.versions.jobs.show({ pipeline: 'train' });
    screen.versions.jobs.show({ id: ' 0123ABC ' });
    await settle(300);
    const { query } = screen.server.requests[screen.server.requests.length - 1];
    expect([query.get('pipeline'), query.get('id')]).toEqual(['train', '0123abc']);
    expect(node.querySelector('select')?.value).toBe('train');
    button(node, 'Show all jobs').click();
    expect(screen.versions.jobs.filter).toEqual({ pipeline: '', id: '' });
  });
});

describe('the W&B chip', () => {
  const tracking = { provider: 'wandb', run_id: 'r1', status: 'confirmed' };

  it.each(['expected', 'confirmed', 'offline'])('says that a run is %s', async status => {
    const node = await show([job('edges', { tracking: { ...tracking, status, url: '' } })]);
    expect(node.querySelector('.dvm-Chip')?.textContent).toBe(`W&B${status}`);
  });

  it('is not there where the job has ended without a run', async () => {
    const node = await show([job('edges', { tracking: { ...tracking, status: 'none', url: '' } })]);
    expect(node.querySelector('.dvm-Chip')).toBeNull();
  });

  it('links to the run in a new tab that learns nothing of this one', async () => {
    const url = 'https://wandb.example/me/edges/runs/r1';
    const node = await show([job('edges', { tracking: { ...tracking, url } })]);
    const link = node.querySelector('a');
    expect(link?.href).toBe(url);
    expect(link?.target).toBe('_blank');
    expect(link?.rel).toContain('noopener');
  });

  it('is no link where the address is none of the web', async () => {
    const url = 'javascript:alert(1)';
    const node = await show([job('edges', { tracking: { ...tracking, url } })]);
    expect(node.querySelector('a')).toBeNull();
    node.querySelector<HTMLElement>('.dvm-Chip')?.click();
    expect(screen.executed[0][0]).toBe(CommandIDs.openJob);
  });
});
