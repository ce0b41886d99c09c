import { Debouncer } from '@lumino/polling';

import type { Api, Branch, Commit, Repo } from '../api';
import { Model } from './model';
import { PagedList } from './paged';
import { Resource } from './resource';

const REPOS_A_PAGE = 500;
const FIRST_COMMITS = 10;
const MORE_COMMITS = 50;
const TYPING_MS = 200;

/** What an expanded repository shows. */
export class RepositoryModel extends Model {
  constructor(api: Api, repo: string) {
    super();
    this.branches = new Resource(signal => api.branches(repo, signal));
    this.commits = new PagedList(
      (after, limit, signal) => api.commits({ repo, after, limit }, signal),
      FIRST_COMMITS,
      MORE_COMMITS
    );
    this.branches.changed.connect(() => this.notify());
    this.commits.changed.connect(() => this.notify());
  }

  /** All branches by name. */
  readonly branches: Resource<readonly Branch[]>;
  /** Commits of all branches, newest first. */
  readonly commits: PagedList<Commit>;

  async refresh(): Promise<void> {
    await Promise.all([this.branches.refresh(), this.commits.reload()]);
  }

  override dispose(): void {
    this.branches.dispose();
    this.commits.dispose();
    super.dispose();
  }
}

/** The repositories of the store, filtered by name, and which of them are expanded. */
export class RepositoriesModel extends Model {
  constructor(private readonly _api: Api) {
    super();
    this._search = new Debouncer(() => this.list.reload(), TYPING_MS);
    this.list = new PagedList<Repo>(
      async (after, limit, signal) => {
        const filter = this._filter;
        const page = await _api.repos({ filter, after, limit }, signal);
        this._shownFilter = filter;
        return page;
      },
      REPOS_A_PAGE,
      REPOS_A_PAGE
    );
    this.list.changed.connect(() => this.notify());
  }

  readonly list: PagedList<Repo>;

  /** Whether the store has no repository, as opposed to none that the filter lets through. */
  get isEmpty(): boolean {
    return this.list.ready && !this.list.items.length && !this._shownFilter && !this._filter;
  }

  /** Only repositories whose name contains this, in any case, are listed. */
  get filter(): string {
    return this._filter;
  }

  set filter(value: string) {
    if (value !== this._filter) {
      this._filter = value;
      this.notify();
      void this._search.invoke();
    }
  }

  /** The expanded repository of that name, or undefined while it is collapsed. */
  expanded(repo: string): RepositoryModel | undefined {
    return this._expanded.get(repo);
  }

  expand(repo: string): void {
    if (this._expanded.has(repo)) {
      return;
    }
    const model = new RepositoryModel(this._api, repo);
    model.changed.connect(() => this.notify());
    this._expanded.set(repo, model);
    this.notify();
    void model.refresh();
  }

  collapse(repo: string): void {
    this._expanded.get(repo)?.dispose();
    if (this._expanded.delete(repo)) {
      this.notify();
    }
  }

  /** Ask again for everything that is shown. */
  async refresh(): Promise<void> {
    await Promise.all([
      this.list.reload(),
      ...[...this._expanded.values()].map(model => model.refresh())
    ]);
  }

  /** Ask again for one repository, where it is expanded, and for the list with its size. */
  async refreshOnly(repos: ReadonlySet<string>): Promise<void> {
    const models = [...repos].map(repo => this._expanded.get(repo)?.refresh());
    await Promise.all([this.list.reload(), ...models]);
  }

  override dispose(): void {
    this._search.dispose();
    this.list.dispose();
    this._expanded.forEach(model => model.dispose());
    super.dispose();
  }

  private _filter = '';
  private _shownFilter = '';
  private readonly _search: Debouncer;
  private readonly _expanded = new Map<string, RepositoryModel>();
}
