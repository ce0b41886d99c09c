import { ApiError } from '../api';
import { Model } from './model';

/** One value that the server holds. Stays at its last known value while it is asked for again. */
export class Resource<T> extends Model {
  constructor(private readonly _fetch: (signal: AbortSignal) => Promise<T>) {
    super();
  }

  /** The value, or null before the first answer. */
  get value(): T | null {
    return this._value;
  }

  /** Why the last request failed, or null. */
  get error(): ApiError | null {
    return this._error;
  }

  get loading(): boolean {
    return this._request !== null;
  }

  /** Ask the server; an answer that a later call has overtaken is dropped. */
  async refresh(): Promise<void> {
    this._request?.abort();
    const request = (this._request = new AbortController());
    this.notify();
    let value = this._value;
    let error: ApiError | null = null;
    try {
      value = await this._fetch(request.signal);
    } catch (reason) {
      error = ApiError.from(reason);
    }
    if (this._request !== request) {
      return;
    }
    this._request = null;
    this._value = value;
    this._error = error;
    this.notify();
  }

  /** Replace the value by one that another answer brought. */
  protected set(value: T): void {
    this._value = value;
    this.notify();
  }

  override dispose(): void {
    this._request?.abort();
    this._request = null;
    super.dispose();
  }

  private _value: T | null = null;
  private _error: ApiError | null = null;
  private _request: AbortController | null = null;
}
