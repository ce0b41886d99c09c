import type { Event } from '@jupyterlab/services';
import { Poll, Throttler } from '@lumino/polling';

import type { Api, Health } from '../api';
import { ServerEvents } from './events';
import { JobsModel } from './jobs';
import { Model } from './model';
import { MountsModel } from './mounts';
import { PipelinesModel } from './pipelines';
import { RepositoriesModel } from './repositories';
import { Resource } from './resource';
import { SelectionModel } from './selection';

/** Events come in bursts (a script that makes a hundred commits): ask at most this often, ms. */
const BURST_MS = 500;
const SLOWEST_POLL_MS = 5 * 60 * 1000;

/**
 * Everything that the widgets show, kept fresh.
 *
 * Events of the server bring changes at once. A slow poll, which backs off while the server
 * does not answer and rests while nobody looks, finds what was missed.
 */
export class DataVersions extends Model {
  /**
   * @param api - The server.
   * @param stream - Events of the server.
   * @param interval - Time between two polls, ms.
   */
  constructor(
    readonly api: Api,
    stream: Event.Stream,
    interval = 30_000
  ) {
    super();
    this.health = new Resource(signal => api.health(signal));
    this.mounts = new MountsModel(api);
    this.repositories = new RepositoriesModel(api);
    this.pipelines = new PipelinesModel(api);
    this.jobs = new JobsModel(api);
    this.events = new ServerEvents(stream);
    this.events.mounts.connect((_, event) => this.mounts.handle(event));
    this.events.changes.connect((_, event) => {
      this._moved.add(event.repo);
      void this._burst.invoke();
    });
    this.events.jobs.connect((_, event) => {
      if (this._watched) {
        this.jobs.handle(event);
        this.pipelines.handle(event);
      }
    });
    this.events.pipelines.connect((_, { action }) => {
      if (this._watched) {
        void this.pipelines.refresh();
        if (action === 'deleted') {
          void this.jobs.refresh();
        }
      }
    });
    this._burst = new Throttler(() => this._refreshMoved(), {
      limit: BURST_MS,
      edge: 'trailing'
    });
    this._poll = new Poll({
      auto: false,
      name: 'jupyter-dvmount:refresh',
      factory: () => this._refreshAll(),
      frequency: { interval, backoff: true, max: SLOWEST_POLL_MS },
      standby: () => !this._watched || document.hidden
    });
  }

  readonly health: Resource<Health>;
  readonly mounts: MountsModel;
  readonly repositories: RepositoriesModel;
  readonly pipelines: PipelinesModel;
  readonly jobs: JobsModel;
  readonly events: ServerEvents;
  readonly selection = new SelectionModel();

  /** Whether somebody looks at the panel; polling rests otherwise. */
  get watched(): boolean {
    return this._watched;
  }

  set watched(watched: boolean) {
    const began = watched && !this._watched;
    this._watched = watched;
    if (began) {
      void this._poll.refresh();
    }
  }

  /** Ask for everything again. */
  async refresh(): Promise<void> {
    await this._refreshAll().catch(() => undefined);
  }

  override dispose(): void {
    this._poll.dispose();
    this._burst.dispose();
    this.events.dispose();
    this.health.dispose();
    this.mounts.dispose();
    this.repositories.dispose();
    this.pipelines.dispose();
    this.jobs.dispose();
    super.dispose();
  }

  /** @throws The first failure, so that the poll backs off. */
  private async _refreshAll(): Promise<void> {
    await this.health.refresh();
    if (this.health.error) {
      throw this.health.error;
    }
    await Promise.all([
      this.mounts.refresh(),
      this.repositories.refresh(),
      this.pipelines.refresh(),
      this.jobs.refresh()
    ]);
  }

  private async _refreshMoved(): Promise<void> {
    const repos = new Set(this._moved);
    this._moved.clear();
    const mounted = this.mounts.mounts.some(mount => repos.has(mount.repo));
    await Promise.all([
      this._watched ? this.repositories.refreshOnly(repos) : undefined,
      mounted ? this.mounts.refresh() : undefined
    ]);
  }

  private _watched = false;
  private readonly _moved = new Set<string>();
  private readonly _poll: Poll;
  private readonly _burst: Throttler;
}
