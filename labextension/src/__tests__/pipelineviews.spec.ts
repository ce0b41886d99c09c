import { CommandIDs } from '../commands';
import { PipelineList } from '../widgets/pipelines';
import { jobEvent, pipeline } from './records';
import { button, Screen, settle } from './screen';

const API = '/base/dvmount/api';
let screen: Screen;

beforeEach(() => {
  screen = new Screen();
});
afterEach(() => {
  screen.dispose();
});

async function show(pipelines: unknown[]): Promise<HTMLElement> {
  screen.server.on('GET', `${API}/pipelines`, () => ({ body: { items: pipelines } }));
  const node = await screen.show(PipelineList);
  await screen.versions.pipelines.refresh();
  await settle();
  return node;
}

describe('PipelineList', () => {
  it('says what a pipeline reads and writes, and how its newest job is', async () => {
    const node = await show([pipeline('edges', { last_job_state: 'failure' })]);
    expect(node.textContent).toContain('edgesimages → edges');
    button(node, 'failure').click();
    expect(screen.executed).toEqual([
      [CommandIDs.openJob, { pipeline: 'edges', id: pipeline('edges').last_job }]
    ]);
  });

  it('runs and pauses', async () => {
    const node = await show([pipeline('edges')]);
    button(node, 'Run edges').click();
    button(node, 'Pause edges').click();
    expect(screen.executed.map(([id]) => id)).toEqual([
      CommandIDs.runPipeline,
      CommandIDs.pausePipeline
    ]);
  });

  it('lets one go on that is paused', async () => {
    const node = await show([pipeline('edges', { state: 'paused' })]);
    expect(node.textContent).toContain('paused');
    button(node, 'Resume edges');
  });

  it('follows the jobs', async () => {
    const node = await show([pipeline('edges')]);
    screen.versions.pipelines.handle(jobEvent('edges', { state: 'running' }));
    await settle();
    button(node, 'running');
  });

  it('keeps what was known, and says that it cannot be refreshed', async () => {
    const node = await show([pipeline('edges')]);
    const body = { code: 'unavailable', message: 'the database does not answer', fix: 'wait' };
    screen.server.on('GET', `${API}/pipelines`, () => ({ status: 503, body }));
    await screen.versions.pipelines.refresh();
    await settle();
    expect(node.querySelector('[role=alert]')?.textContent).toBe('the database does not answer');
    expect(node.textContent).toContain('edgesimages → edges');
  });

  it('says how a first one is made', async () => {
    const node = await show([]);
    expect(node.textContent).toContain('No pipelines yet');
    button(node, 'write a spec').click();
    expect(screen.executed).toEqual([[CommandIDs.newPipeline, undefined]]);
  });
});
