import { CommandIDs } from '../commands';
import { JobModel } from '../models/job';
import { JobView } from '../widgets/job';
import { job, jobEvent } from './records';
import { button, Screen, settle } from './screen';

const API = '/base/dvmount/api';
const { id } = job('edges');
let screen: Screen;

beforeEach(() => {
  screen = new Screen();
  answer({});
});
afterEach(() => {
  screen.dispose();
});

type Answers = { job?: unknown; lines?: unknown[]; ended?: boolean };

function answer({ job: shown = job('edges'), lines = [], ended = true }: Answers): void {
  screen.server.on('GET', `${API}/job`, () => ({ body: shown }));
  screen.server.on('GET', `${API}/log`, ({ query }) => {
    const from = Number(query.get('after') ?? 0);
    return { body: { items: lines.slice(from), next: String(lines.length), more: false, ended } };
  });
}

async function show(): Promise<HTMLElement> {
  const model = new JobModel(screen.versions, { pipeline: 'edges', id });
  const node = await screen.attach(new JobView(model, screen.services));
  await settle();
  return node;
}

const line = (text: string) => ({ datum: 'd'.repeat(64), attempt: 1, time: 0, text });

describe('JobView', () => {
  it('says how the job went, what it reads and what it has made', async () => {
    const node = await show();
    expect(node.textContent).toContain('success3 datums');
    expect(node.textContent).toContain('images@master · 01234567');
    button(node, 'Mount output').click();
    button(node, 'Open output').click();
    expect(screen.executed).toEqual([
      [CommandIDs.mountOutput, { pipeline: 'edges', id }],
      [CommandIDs.openOutput, { pipeline: 'edges', id }]
    ]);
  });

  it('shows the lines of the log as they come', async () => {
    const lines = [line('first')];
    answer({ job: job('edges', { state: 'running', finished: null }), lines, ended: false });
    const node = await show();
    expect(node.querySelector('[role=log]')?.textContent).toContain(
      'Datum dddddddd, attempt 1first'
    );
    lines.push(line('second'));
    await settle(700);
    expect(node.querySelector('[role=log]')?.textContent).toContain('second');
  });

  it('asks again for everything once the job is over', async () => {
    answer({ job: job('edges', { state: 'running', finished: null }), ended: false });
    const node = await show();
    button(node, 'Stop');
    answer({ job: job('edges', { state: 'failure', reason: 'exit status 1' }) });
    screen.events.emit(jobEvent('edges', { state: 'failure' }));
    await settle();
    expect(node.textContent).toContain('exit status 1');
    button(node, 'Run again what has failed');
  });

  it('asks for a job that runs when nothing is heard of it for long', async () => {
    answer({ job: job('edges', { state: 'running', finished: null }), ended: false });
    const node = await show();
    answer({ job: job('edges', { state: 'finishing', finished: null }), ended: false });
    const later = Date.now() + 60_000;
    const clock = jest.spyOn(Date, 'now').mockReturnValue(later);
    await settle(1200);
    clock.mockRestore();
    expect(node.textContent).toContain('finishing');
  });

  it('asks for nothing while nobody looks', async () => {
    answer({ job: job('edges', { state: 'running', finished: null }), ended: false });
    const model = new JobModel(screen.versions, { pipeline: 'edges', id });
    await settle();
    const { length } = screen.server.requests;
    await settle(1500);
    expect(screen.server.requests).toHaveLength(length);
    model.dispose();
  });

  it('says where the run of the job is', async () => {
    const tracking = { provider: 'wandb', run_id: id, status: 'offline', url: '' };
    answer({ job: job('edges', { tracking }) });
    const node = await show();
    const run = node.querySelector<HTMLElement>('section[aria-label="W&B"]');
    expect(run?.textContent).toContain(`W&Boffline${id}Logged on this machine only`);
  });

  it('says what failed where the job cannot be shown', async () => {
    const body = { code: 'not_found', message: 'no job edges@0123', fix: 'list job' };
    screen.server.on('GET', `${API}/job`, () => ({ status: 404, body }));
    const node = await show();
    expect(node.querySelector('[role=alert]')?.textContent).toContain('no job edges@0123');
  });
});
