import { Poll } from '@lumino/polling';

import type { Job, JobKey } from '../api';
import { isOver, sameJob, updated } from './jobs';
import { LogModel } from './log';
import { Model } from './model';
import { Resource } from './resource';
import type { DataVersions } from './versions';

/** Time between two requests for new lines, each of which waits for some, and after failures, ms. */
const PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 10_000;
/** How long nothing need be heard of a job that runs before it is asked for: events may be lost, ms. */
const SILENCE_MS = 10_000;

class JobResource extends Resource<Job> {
  /** Take in what the server tells. */
  update(change: (job: Job) => Job): void {
    if (this.value) {
      this.set(change(this.value));
    }
  }
}

/** One job that is looked at: its state and its log. */
export class JobModel extends Model {
  constructor(
    versions: DataVersions,
    readonly key: JobKey
  ) {
    super();
    const { api, events } = versions;
    this.job = new JobResource(signal => api.job(key, signal));
    this.log = new LogModel(api, key);
    this.job.changed.connect(() => this.notify());
    events.jobs.connect((_, event) => {
      if (sameJob(event, key)) {
        this._heard = Date.now();
        const begun = event.state !== this.job.value?.state;
        this.job.update(job => updated(job, event));
        if (isOver(event)) {
          void this.refresh();
        } else if (begun) {
          void this.job.refresh(); // for what events do not tell: times, commits, the sandbox
        }
      }
    }, this);
    this._poll = new Poll({
      auto: false,
      name: 'jupyter-dvmount:job',
      factory: () => this._look(),
      frequency: { interval: PAUSE_MS, backoff: true, max: LONGEST_PAUSE_MS },
      standby: 'when-hidden'
    });
    void this.refresh();
  }

  readonly job: JobResource;
  readonly log: LogModel;

  /** Whether somebody looks at it; it rests otherwise. */
  get watched(): boolean {
    return this._watched;
  }

  set watched(watched: boolean) {
    if (watched !== this._watched) {
      this._watched = watched;
      void (watched ? this._poll.refresh() : this._poll.stop());
      this.log.rest();
    }
  }

  /** Ask again for everything. */
  async refresh(): Promise<void> {
    await Promise.all([this.job.refresh(), this.log.refresh()]);
  }

  override dispose(): void {
    this._poll.dispose();
    this.job.dispose();
    this.log.dispose();
    super.dispose();
  }

  /** @throws Where there is nothing to wait for, so that the poll backs off. */
  private async _look(): Promise<void> {
    const job = this.job.value;
    if (job && isOver(job) && (this.log.ended || this.log.full)) {
      await this._poll.stop();
      return;
    }
    if (Date.now() - this._heard > SILENCE_MS) {
      this._heard = Date.now();
      await this.job.refresh();
    }
    await this.log.refresh();
    if (this.log.error || this.log.full) {
      throw this.log.error ?? new Error('the log is full');
    }
  }

  private _watched = false;
  private _heard = Date.now();
  private readonly _poll: Poll;
}
