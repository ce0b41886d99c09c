import type { Event } from '@jupyterlab/services';
import { DisposableDelegate, type IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';

import type { Job, Tracked } from '../api';

const MOUNT_SCHEMA = 'urn:jupyter-dvmount:mount:v1';
const CHANGE_SCHEMA = 'urn:jupyter-dvmount:change:v1';
const JOB_SCHEMA = 'urn:jupyter-dvmount:job:v1';
const PIPELINE_SCHEMA = 'urn:jupyter-dvmount:pipeline:v1';

/** Something happened to a mount, by whatever process. */
export type MountEvent = {
  readonly action: 'mounted' | 'unmounted' | 'updated' | 'progress' | 'failed';
  readonly name: string;
  readonly repo?: string;
  readonly ref?: string;
  readonly commit?: string;
  readonly files_done?: number;
  readonly bytes_done?: number;
  readonly files_total?: number;
  readonly bytes_total?: number;
  readonly message?: string;
};

/** Something happened in the store. */
export type ChangeEvent = {
  readonly kind: 'project' | 'repo' | 'branch' | 'commit';
  readonly action: 'created' | 'updated' | 'deleted' | 'started' | 'finished';
  readonly repo: string;
  readonly branch?: string;
  readonly commit?: string;
};

/** Something happened to a job. */
export type JobEvent = Pick<Job, 'pipeline' | 'id' | 'state' | 'reason' | 'datums'> & {
  readonly tracking?: Tracked;
};

/** Something happened to a pipeline. */
export type PipelineEvent = {
  readonly action: 'created' | 'updated' | 'deleted';
  readonly pipeline: string;
};

/** The part of the server's event stream that is about data versions. */
export class ServerEvents implements IDisposable {
  constructor(stream: Event.Stream) {
    const listener = (_: Event.IManager, event: Event.Emission) => this._sort(event);
    stream.connect(listener);
    this._connection = new DisposableDelegate(() => stream.disconnect(listener));
  }

  get mounts(): ISignal<this, MountEvent> {
    return this._mounts;
  }

  get changes(): ISignal<this, ChangeEvent> {
    return this._changes;
  }

  get jobs(): ISignal<this, JobEvent> {
    return this._jobs;
  }

  get pipelines(): ISignal<this, PipelineEvent> {
    return this._pipelines;
  }

  get isDisposed(): boolean {
    return this._connection.isDisposed;
  }

  dispose(): void {
    this._connection.dispose();
    Signal.clearData(this);
  }

  private _sort(event: Event.Emission): void {
    if (event.schema_id === MOUNT_SCHEMA) {
      this._mounts.emit(event as unknown as MountEvent);
    } else if (event.schema_id === CHANGE_SCHEMA) {
      this._changes.emit(event as unknown as ChangeEvent);
    } else if (event.schema_id === JOB_SCHEMA) {
      this._jobs.emit(event as unknown as JobEvent);
    } else if (event.schema_id === PIPELINE_SCHEMA) {
      this._pipelines.emit(event as unknown as PipelineEvent);
    }
  }

  private readonly _connection: IDisposable;
  private readonly _mounts = new Signal<this, MountEvent>(this);
  private readonly _changes = new Signal<this, ChangeEvent>(this);
  private readonly _jobs = new Signal<this, JobEvent>(this);
  private readonly _pipelines = new Signal<this, PipelineEvent>(this);
}
