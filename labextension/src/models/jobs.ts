import { Debouncer, Throttler } from '@lumino/polling';

import type { Api, Job, JobKey } from '../api';
import type { JobEvent } from './events';
import { Model } from './model';
import { PagedList } from './paged';

const FIRST_JOBS = 50;
const MORE_JOBS = 500;
const TYPING_MS = 200;
/** New jobs come in bursts, one for each pipeline downstream: ask at most this often, ms. */
const BURST_MS = 500;

/** Which jobs are listed; empty fields let everything through. */
export type JobFilter = {
  readonly pipeline: string;
  /** The beginning of a global id. */
  readonly id: string;
};

const ALL: JobFilter = { pipeline: '', id: '' };

export function sameJob(one: JobKey, other: JobKey): boolean {
  return one.pipeline === other.pipeline && one.id === other.id;
}

const FINAL: ReadonlySet<Job['state']> = new Set(['success', 'failure', 'killed', 'unrunnable']);

/** Whether a job in this state never changes any more. */
export function isOver({ state }: Pick<Job, 'state'>): boolean {
  return FINAL.has(state);
}

/** The jobs of all pipelines, newest first, and the ways to change them. */
export class JobsModel extends Model {
  constructor(private readonly _api: Api) {
    super();
    this.list = new PagedList<Job>(
      (after, limit, signal) => this._read(after, limit, signal),
      FIRST_JOBS,
      MORE_JOBS
    );
    this.list.changed.connect(() => this.notify());
    this._search = new Debouncer(() => this.list.reload(), TYPING_MS);
    this._burst = new Throttler(() => this.list.reload(), { limit: BURST_MS, edge: 'trailing' });
  }

  readonly list: PagedList<Job>;

  get filter(): JobFilter {
    return this._filter;
  }

  /** Whether there are no jobs at all, as opposed to none that the filter lets through. */
  get isEmpty(): boolean {
    const { ready, items } = this.list;
    return ready && !items.length && this._shown === ALL && this._filter === ALL;
  }

  /** List only some jobs; what is not given stays as it is. */
  show(filter: Partial<JobFilter>): void {
    const { pipeline, id } = { ...this._filter, ...filter };
    this._filter = pipeline || id ? { pipeline, id: id.trim().toLowerCase() } : ALL;
    this.notify();
    void this._search.invoke();
  }

  /** A job that is listed. */
  get(key: JobKey | null): Job | undefined {
    return key ? this.list.items.find(job => sameJob(job, key)) : undefined;
  }

  /** Have a job end at once. */
  async stop(key: JobKey): Promise<void> {
    await this._api.stopJob(key);
    void this._burst.invoke();
  }

  /**
   * Make a new job on the commits of another one.
   *
   * @param failed - Whether what has succeeded is taken over.
   */
  async rerun(key: JobKey, failed: boolean): Promise<Job> {
    const job = await this._api.rerunJob(key, failed);
    void this._burst.invoke();
    return job;
  }

  /** Ask again for everything that is shown. */
  async refresh(): Promise<void> {
    await this.list.reload();
  }

  /** Take in what the server tells. */
  handle(event: JobEvent): void {
    const job = this.get(event);
    if (job) {
      this.list.replace(job, updated(job, event));
    }
    if (!job || isOver(event)) {
      void this._burst.invoke();
    }
  }

  override dispose(): void {
    this._search.dispose();
    this._burst.dispose();
    this.list.dispose();
    super.dispose();
  }

  private async _read(after: string, limit: number, signal: AbortSignal) {
    const filter = this._filter;
    const page = await this._api.jobs({ ...filter, after, limit }, signal);
    this._shown = filter;
    return page;
  }

  private _filter = ALL;
  private _shown = ALL;
  private readonly _search: Debouncer;
  private readonly _burst: Throttler;
}

/** A job with what an event tells of it. */
export function updated(job: Job, event: JobEvent): Job {
  const { state, reason, datums, tracking = job.tracking } = event;
  return { ...job, state, reason, datums, tracking };
}
