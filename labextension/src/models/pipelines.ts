import type { Api, Pipeline } from '../api';
import type { JobEvent } from './events';
import { Resource } from './resource';

/** The pipelines of the store, and the ways to change them. */
export class PipelinesModel extends Resource<readonly Pipeline[]> {
  constructor(private readonly _api: Api) {
    super(signal => this._api.pipelines(signal));
  }

  get pipelines(): readonly Pipeline[] {
    return this.value ?? [];
  }

  get(name: string): Pipeline | undefined {
    return this.pipelines.find(pipeline => pipeline.name === name);
  }

  /** Make a job by hand, on the inputs as they are. */
  async run(name: string): Promise<void> {
    await this._api.runPipeline(name);
    void this.refresh();
  }

  /** Have a pipeline begin nothing new, or resume it. */
  async pause(name: string, paused: boolean): Promise<void> {
    this._put(await this._api.pausePipeline(name, paused));
  }

  async remove(name: string, options: { keepOutput: boolean; force: boolean }): Promise<void> {
    await this._api.deletePipeline(name, options);
    this.set(this.pipelines.filter(pipeline => pipeline.name !== name));
  }

  /** Take in what the server tells of a job. */
  handle({ pipeline: name, id, state }: JobEvent): void {
    const pipeline = this.get(name);
    if (pipeline && (state === 'created' || pipeline.last_job === id)) {
      this._put({ ...pipeline, last_job: id, last_job_state: state });
    }
  }

  private _put(pipeline: Pipeline): void {
    const others = this.pipelines.filter(other => other.name !== pipeline.name);
    this.set([...others, pipeline].sort((a, b) => a.name.localeCompare(b.name)));
  }
}
