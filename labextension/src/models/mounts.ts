import { ApiError, type Api, type Mount, type MountRequest, type Unmounted } from '../api';
import type { MountEvent } from './events';
import { Resource } from './resource';

/** A mount that is being made. `filesTotal` and `bytesTotal` are 0 while they are not known. */
export type Pending = {
  readonly name: string;
  readonly repo: string;
  readonly ref: string;
  readonly filesDone: number;
  readonly bytesDone: number;
  readonly filesTotal: number;
  readonly bytesTotal: number;
};

/** The name that the server gives to a mount without one. */
export function defaultName(repo: string): string {
  return repo.slice(repo.lastIndexOf('/') + 1);
}

/** What is mounted, what is being mounted, and the ways to change that. */
export class MountsModel extends Resource<readonly Mount[]> {
  constructor(private readonly _api: Api) {
    super(signal => this._api.mounts(signal));
  }

  get mounts(): readonly Mount[] {
    return this.value ?? [];
  }

  get pending(): readonly Pending[] {
    return [...this._pending.values()];
  }

  get(name: string): Mount | undefined {
    return this.mounts.find(mount => mount.name === name);
  }

  /** Mounts at this commit, or, without one, of any commit of the repository. */
  of(repo: string, commit?: string | null): readonly Mount[] {
    return this.mounts.filter(
      mount => mount.repo === repo && (commit === undefined || mount.commit === commit)
    );
  }

  /**
   * Mount a commit.
   *
   * @returns The mount, or null where it was cancelled meanwhile.
   */
  async mount(request: MountRequest): Promise<Mount | null> {
    const name = request.name || defaultName(request.repo);
    const mine = !this._pending.has(name) && !this.get(name);
    if (mine) {
      this._cancelled.delete(name);
      this._begin(name, request.repo, request.ref);
    }
    try {
      const mount = await this._api.mount(request);
      this._put(mount);
      return mount;
    } catch (reason) {
      if (mine && this._cancelled.has(name)) {
        return null;
      }
      throw reason;
    } finally {
      if (mine) {
        this._cancelled.delete(name);
        this._end(name);
      }
    }
  }

  /** Stop making a mount; what was copied so far is thrown away by the server. */
  async cancel(name: string): Promise<void> {
    this._cancelled.add(name);
    try {
      await this._api.unmount(name);
    } catch (reason) {
      if (ApiError.from(reason).code !== 'not_found') {
        this._cancelled.delete(name);
        throw reason;
      }
    }
    void this.refresh();
  }

  async unmount(name: string): Promise<Unmounted> {
    const unmounted = await this._api.unmount(name);
    this.set(this.mounts.filter(mount => mount.name !== name));
    return unmounted;
  }

  /** Move a mount to the head of its branch. */
  async update(mount: Mount): Promise<Mount> {
    return this._put(await this._api.updateMount(mount.name, { ref: mount.branch }));
  }

  /** Choose whether a mount moves by itself when its branch does. */
  async follow(mount: Mount, follow: boolean): Promise<Mount> {
    return this._put(await this._api.updateMount(mount.name, { follow }));
  }

  /** Take in what the server tells. */
  handle(event: MountEvent): void {
    if (event.action === 'progress') {
      this._pending.set(event.name, {
        name: event.name,
        repo: event.repo ?? this._pending.get(event.name)?.repo ?? '',
        ref: event.ref ?? this._pending.get(event.name)?.ref ?? '',
        filesDone: event.files_done ?? 0,
        bytesDone: event.bytes_done ?? 0,
        filesTotal: event.files_total ?? 0,
        bytesTotal: event.bytes_total ?? 0
      });
      this.notify();
      return;
    }
    this._end(event.name);
    void this.refresh();
  }

  private _begin(name: string, repo: string, ref: string): void {
    const none = { filesDone: 0, bytesDone: 0, filesTotal: 0, bytesTotal: 0 };
    this._pending.set(name, { name, repo, ref, ...none });
    this.notify();
  }

  private _end(name: string): void {
    if (this._pending.delete(name)) {
      this.notify();
    }
  }

  private _put(mount: Mount): Mount {
    const others = this.mounts.filter(other => other.name !== mount.name);
    this.set([...others, mount].sort((a, b) => a.name.localeCompare(b.name)));
    return mount;
  }

  private readonly _pending = new Map<string, Pending>();
  private readonly _cancelled = new Set<string>();
}
