import { ApiError, type Api, type JobKey, type LogLine } from '../api';
import { Model } from './model';

/** Lines after which no more are read: more than anybody scrolls through, and some 20 MB. */
const MOST_ROWS = 200_000;

/** Seconds that the server may keep a request until there is a new line. */
const WAIT_S = 20;

/** A row of a log: a line, or the attempt at a datum whose lines follow. */
export type LogRow = { readonly number: number } & (
  | { readonly kind: 'datum'; readonly datum: string; readonly attempt: number }
  | { readonly kind: 'line'; readonly line: LogLine }
);

/** What a job has printed so far. */
export class LogModel extends Model {
  constructor(
    private readonly _api: Api,
    private readonly _key: JobKey
  ) {
    super();
  }

  /** Lines, below the datum and attempt that they are of; another list after every change. */
  get rows(): readonly LogRow[] {
    return this._rows;
  }

  /** Whether there was an answer. */
  get ready(): boolean {
    return this._ready;
  }

  /** Whether there will be no more lines. */
  get ended(): boolean {
    return this._ended;
  }

  /** Why the last request failed, or null. */
  get error(): ApiError | null {
    return this._error;
  }

  /** Whether there are more lines than are shown here. */
  get full(): boolean {
    return this._rows.length >= MOST_ROWS;
  }

  /** Whether the newest line is to stay in view. */
  get following(): boolean {
    return this._following;
  }

  set following(following: boolean) {
    if (following !== this._following) {
      this._following = following;
      this.notify();
    }
  }

  /** Whether only attempts that have failed are shown. */
  get failedOnly(): boolean {
    return this._failedOnly;
  }

  set failedOnly(failedOnly: boolean) {
    if (failedOnly !== this._failedOnly) {
      this._failedOnly = failedOnly;
      this.rest();
      this._after = '';
      this._rows = [];
      this._last = null;
      this._ready = this._ended = false;
      this.notify();
      void this.refresh();
    }
  }

  /** All lines as text. */
  get text(): string {
    const lines = this._rows.map(row => (row.kind === 'line' ? row.line.text : `# ${row.datum}`));
    return lines.join('\n');
  }

  /** Read what is new, or wait for it, up to half a minute. */
  async refresh(): Promise<void> {
    if (this._request || this._ended || this.full) {
      return;
    }
    const request = (this._request = new AbortController());
    let error: ApiError | null = null;
    try {
      let more = true;
      while (more && this._request === request) {
        more = await this._readPart(request.signal);
      }
    } catch (reason) {
      error = ApiError.from(reason);
    }
    if (this._request === request) {
      this._request = null;
      this._error = error;
      this.notify();
    }
  }

  /** Wait no longer. */
  rest(): void {
    this._request?.abort();
    this._request = null;
  }

  override dispose(): void {
    this.rest();
    super.dispose();
  }

  /** Read one part; whether there is more already. */
  private async _readPart(signal: AbortSignal): Promise<boolean> {
    const wait = this._ready ? WAIT_S : 0; // the first answer is worth showing whatever it is
    const query = { after: this._after, failed: this._failedOnly, wait };
    const part = await this._api.log(this._key, query, signal);
    if (signal.aborted) {
      return false;
    }
    const rows = [...this._rows];
    for (const line of part.items) {
      const { datum, attempt } = line;
      if (datum !== this._last?.datum || attempt !== this._last.attempt) {
        this._last = { datum, attempt };
        rows.push({ kind: 'datum', number: rows.length, datum, attempt });
      }
      rows.push({ kind: 'line', number: rows.length, line });
    }
    this._rows = part.items.length ? rows : this._rows;
    this._after = part.next;
    this._ended = part.ended;
    this._ready = true;
    this.notify();
    return part.more && !this.full;
  }

  private _rows: readonly LogRow[] = [];
  private _last: { datum: string; attempt: number } | null = null;
  private _after = '';
  private _ready = false;
  private _ended = false;
  private _following = true;
  private _failedOnly = false;
  private _error: ApiError | null = null;
  private _request: AbortController | null = null;
}
