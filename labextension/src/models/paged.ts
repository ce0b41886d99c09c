import { ApiError, type Page } from '../api';
import { Model } from './model';

/** Most entries that one request may ask for (`limit` in openapi.yaml). */
const MAX_PAGE = 5000;

/** How a `PagedList` gets the page after a marker. */
export type FetchPage<T> = (after: string, limit: number, signal: AbortSignal) => Promise<Page<T>>;

/** A long listing of the server, read page by page as far as somebody wants to see it. */
export class PagedList<T> extends Model {
  /**
   * @param _fetch - Requests one page.
   * @param _first - Entries of the first page: few, to have something to show soon.
   * @param _more - Entries of every later page.
   */
  constructor(
    private readonly _fetch: FetchPage<T>,
    private readonly _first: number,
    private readonly _more: number
  ) {
    super();
  }

  get items(): readonly T[] {
    return this._items;
  }

  /** Whether the first page has arrived. */
  get ready(): boolean {
    return this._ready;
  }

  /** Whether there are entries behind the last one read. */
  get hasMore(): boolean {
    return this._next !== null;
  }

  get loading(): boolean {
    return this._request !== null;
  }

  /** Why the last request failed, or null. */
  get error(): ApiError | null {
    return this._error;
  }

  /** Read the next page, unless a request is under way or nothing is left. */
  async loadMore(): Promise<void> {
    if (this.loading || (this._ready && !this.hasMore)) {
      return;
    }
    const known = this._items;
    await this._run(async signal => {
      const limit = this._ready ? this._more : this._first;
      const page = await this._fetch(this._next ?? '', limit, signal);
      return { items: known.length ? [...known, ...page.items] : page.items, next: page.next };
    });
  }

  /** Read as much again as is shown now, and swap it in at once, so that nothing flickers. */
  async reload(): Promise<void> {
    const wanted = Math.max(this._items.length, this._first);
    await this._run(async signal => {
      let page = await this._fetch('', Math.min(wanted, MAX_PAGE), signal);
      let items = page.items;
      while (page.next !== null && items.length < wanted) {
        page = await this._fetch(page.next, Math.min(wanted - items.length, MAX_PAGE), signal);
        items = [...items, ...page.items];
      }
      return { items, next: page.next };
    });
  }

  /** Put another entry in the place of one that is listed. */
  replace(entry: T, by: T): void {
    this._items = this._items.map(each => (each === entry ? by : each));
    this.notify();
  }

  override dispose(): void {
    this._request?.abort();
    this._request = null;
    super.dispose();
  }

  private async _run(read: (signal: AbortSignal) => Promise<Page<T>>): Promise<void> {
    this._request?.abort();
    const request = (this._request = new AbortController());
    this.notify();
    let page: Page<T> | null = null;
    let error: ApiError | null = null;
    try {
      page = await read(request.signal);
    } catch (reason) {
      error = ApiError.from(reason);
    }
    if (this._request !== request) {
      return;
    }
    this._request = null;
    this._error = error;
    if (page) {
      this._items = page.items;
      this._next = page.next;
      this._ready = true;
    }
    this.notify();
  }

  private _items: readonly T[] = [];
  private _next: string | null = null;
  private _ready = false;
  private _error: ApiError | null = null;
  private _request: AbortController | null = null;
}
