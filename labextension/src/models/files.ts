import type { Api, Commit, FileInfo } from '../api';
import { Model } from './model';
import { PagedList } from './paged';
import { Resource } from './resource';

/** Entries of the first page of a directory: more than a screen, quick to answer. */
const FIRST_ENTRIES = 200;
const MORE_ENTRIES = 2000;

/** One commit and the directory of it that is looked at. */
export class CommitModel extends Model {
  constructor(
    private readonly _api: Api,
    readonly repo: string,
    readonly ref: string,
    path = '/'
  ) {
    super();
    this.commit = new Resource(signal => _api.commit(repo, ref, signal));
    this.commit.changed.connect(() => this.notify());
    this._path = path;
    this._files = this._list();
  }

  readonly commit: Resource<Commit>;

  /** Absolute path of the directory in the commit. */
  get path(): string {
    return this._path;
  }

  get files(): PagedList<FileInfo> {
    return this._files;
  }

  /** Go to another directory. */
  open(path: string): void {
    this._files.dispose();
    this._path = path;
    this._files = this._list();
    this.notify();
    void this._files.loadMore();
  }

  async refresh(): Promise<void> {
    await Promise.all([this.commit.refresh(), this._files.reload()]);
  }

  override dispose(): void {
    this.commit.dispose();
    this._files.dispose();
    super.dispose();
  }

  private _list(): PagedList<FileInfo> {
    const path = this._path;
    const files = new PagedList<FileInfo>(
      (after, limit, signal) =>
        this._api.files({ repo: this.repo, ref: this.ref, path, after, limit }, signal),
      FIRST_ENTRIES,
      MORE_ENTRIES
    );
    files.changed.connect(() => this.notify());
    return files;
  }

  private _path: string;
  private _files: PagedList<FileInfo>;
}
