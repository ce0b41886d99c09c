import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

import type {
  Branch,
  Commit,
  FileInfo,
  Health,
  Job,
  LogPart,
  Mount,
  Pipeline,
  Repo,
  SpecCheck,
  Unmounted
} from './openapi';

export type {
  Branch,
  Check,
  Commit,
  DatumCounts,
  FileInfo,
  Health,
  Job,
  LogLine,
  Mount,
  Pipeline,
  Repo,
  SpecCheck,
  Tracked,
  Unmounted
} from './openapi';

export type JobKey = { readonly pipeline: string; readonly id: string };

/** A page of a long listing; `next` is the marker to ask for the page after it, null at the end. */
export type Page<T> = { readonly items: readonly T[]; readonly next: string | null };

/** What to mount; without a name the last part of the repository's is taken. */
export type MountRequest = { repo: string; ref: string; name?: string; follow?: boolean };

/** How a request can fail besides with an error of the store. */
export type ErrorCode =
  | 'not_found'
  | 'already_exists'
  | 'conflict'
  | 'invalid'
  | 'commit_finished'
  | 'corrupt'
  | 'unavailable'
  | 'denied'
  | 'internal'
  | 'server_missing'
  | 'offline';

const CODES: ReadonlySet<string> = new Set<ErrorCode>([
  'not_found',
  'already_exists',
  'conflict',
  'invalid',
  'commit_finished',
  'corrupt',
  'unavailable',
  'denied',
  'internal'
]);

/** A failure that a person can read: what failed and why, and what to do about it. */
export class ApiError extends Error {
  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly fix = ''
  ) {
    super(message);
    this.name = 'ApiError';
  }

  /** Any thrown value as an `ApiError`. */
  static from(reason: unknown): ApiError {
    if (reason instanceof ApiError) {
      return reason;
    }
    return new ApiError('internal', reason instanceof Error ? reason.message : String(reason));
  }
}

type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** The REST interface of the server half, described by `server/openapi.yaml`. */
export class Api {
  constructor(readonly settings: ServerConnection.ISettings = ServerConnection.makeSettings()) {}

  health(signal?: AbortSignal): Promise<Health> {
    return this._request('health', { signal });
  }

  repos(
    query: { filter?: string; after?: string; limit?: number },
    signal?: AbortSignal
  ): Promise<Page<Repo>> {
    return this._request('repos', { query, signal });
  }

  async branches(repo: string, signal?: AbortSignal): Promise<readonly Branch[]> {
    const page = await this._request<{ items: Branch[] }>('branches', { query: { repo }, signal });
    return page.items;
  }

  commits(
    query: { repo: string; branch?: string; after?: string; limit?: number },
    signal?: AbortSignal
  ): Promise<Page<Commit>> {
    return this._request('commits', { query, signal });
  }

  commit(repo: string, ref: string, signal?: AbortSignal): Promise<Commit> {
    return this._request('commit', { query: { repo, ref }, signal });
  }

  files(
    query: { repo: string; ref: string; path: string; after?: string; limit?: number },
    signal?: AbortSignal
  ): Promise<Page<FileInfo>> {
    return this._request('files', { query, signal });
  }

  async mounts(signal?: AbortSignal): Promise<readonly Mount[]> {
    const page = await this._request<{ items: Mount[] }>('mounts', { signal });
    return page.items;
  }

  mount(body: MountRequest): Promise<Mount> {
    return this._request('mounts', { method: 'POST', body });
  }

  updateMount(name: string, body: { ref?: string; follow?: boolean }): Promise<Mount> {
    return this._request('mount', { method: 'PATCH', query: { name }, body });
  }

  unmount(name: string): Promise<Unmounted> {
    return this._request('mount', { method: 'DELETE', query: { name } });
  }

  async pipelines(signal?: AbortSignal): Promise<readonly Pipeline[]> {
    const page = await this._request<{ items: Pipeline[] }>('pipelines', { signal });
    return page.items;
  }

  pipeline(name: string): Promise<Pipeline> {
    return this._request('pipeline', { query: { name } });
  }

  async checkSpec(spec: string, signal?: AbortSignal): Promise<readonly SpecCheck[]> {
    const body = { spec };
    const page = await this._request<{ items: SpecCheck[] }>('pipelines/check', {
      method: 'POST',
      body,
      signal
    });
    return page.items;
  }

  async createPipelines(spec: string): Promise<readonly Pipeline[]> {
    const options = { method: 'POST', body: { spec } };
    return (await this._request<{ items: Pipeline[] }>('pipelines', options)).items;
  }

  async updatePipelines(spec: string, reprocess: boolean): Promise<readonly Pipeline[]> {
    const options = { method: 'PUT', body: { spec, reprocess } };
    return (await this._request<{ items: Pipeline[] }>('pipelines', options)).items;
  }

  runPipeline(name: string): Promise<Job> {
    return this._request('pipeline/run', { method: 'POST', query: { name } });
  }

  pausePipeline(name: string, paused: boolean): Promise<Pipeline> {
    return this._request('pipeline', { method: 'PATCH', query: { name }, body: { paused } });
  }

  deletePipeline(name: string, options: { keepOutput: boolean; force: boolean }): Promise<void> {
    const query = { name, keep_output: options.keepOutput, force: options.force };
    return this._request('pipeline', { method: 'DELETE', query });
  }

  jobs(
    query: { pipeline?: string; id?: string; after?: string; limit?: number },
    signal?: AbortSignal
  ): Promise<Page<Job>> {
    return this._request('jobs', { query, signal });
  }

  job({ pipeline, id }: JobKey, signal?: AbortSignal): Promise<Job> {
    return this._request('job', { query: { pipeline, id }, signal });
  }

  stopJob({ pipeline, id }: JobKey): Promise<Job> {
    return this._request('job/stop', { method: 'POST', query: { pipeline, id } });
  }

  rerunJob({ pipeline, id }: JobKey, failed: boolean): Promise<Job> {
    return this._request('job/rerun', {
      method: 'POST',
      query: { pipeline, id },
      body: { failed }
    });
  }

  log(
    { pipeline, id }: JobKey,
    query: { after?: string; failed?: boolean; wait?: number },
    signal?: AbortSignal
  ): Promise<LogPart> {
    return this._request('log', { query: { pipeline, id, ...query }, signal });
  }

  private async _request<T>(
    route: string,
    options: { method?: string; query?: Query; body?: unknown; signal?: AbortSignal }
  ): Promise<T> {
    const url = URLExt.join(this.settings.baseUrl, 'dvmount/api', route) + encode(options.query);
    let response: Response;
    try {
      response = await ServerConnection.makeRequest(
        url,
        {
          method: options.method ?? 'GET',
          ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
          ...(options.signal ? { signal: options.signal } : {})
        },
        this.settings
      );
    } catch (reason) {
      throw unreachable(reason);
    }
    return answer<T>(response);
  }
}

function encode(query: Query = {}): string {
  const given = Object.entries(query).filter(
    (entry): entry is [string, string | number | boolean] =>
      entry[1] !== undefined && entry[1] !== ''
  );
  return given.length
    ? `?${given.map(([key, value]) => `${key}=${encodeURIComponent(value)}`).join('&')}`
    : '';
}

function unreachable(reason: unknown): ApiError {
  return reason instanceof ServerConnection.NetworkError
    ? new ApiError(
        'offline',
        'The Jupyter server does not answer.',
        'Check that it is running and that you are connected to it.'
      )
    : ApiError.from(reason);
}

async function answer<T>(response: Response): Promise<T> {
  if (response.status === 204) {
    return undefined as T;
  }
  const body: unknown = await response.json().catch(() => null);
  if (response.ok && body !== null) {
    return body as T;
  }
  throw failure(response, body);
}

/** Tell an error of ours from what Jupyter or a proxy says about a route it does not know. */
function failure(response: Response, body: unknown): ApiError {
  const { code, message, fix } = strings(body);
  if (CODES.has(code)) {
    return new ApiError(code as ErrorCode, message, fix);
  }
  if (response.status === 404) {
    return new ApiError(
      'server_missing',
      'The server half of jupyter-dvmount is not running.',
      'Install it where the Jupyter server runs, then restart the server.'
    );
  }
  if (response.status === 401 || response.status === 403) {
    return new ApiError('denied', 'The Jupyter server refused the request.', 'Log in again.');
  }
  const said = message || response.statusText;
  return new ApiError('internal', `The server failed (${response.status}): ${said}`);
}

/** The parts of an error as text, whatever the body really is. */
function strings(body: unknown): { code: string; message: string; fix: string } {
  const parts = (body ?? {}) as Record<string, unknown>;
  const text = (part: unknown) => (typeof part === 'string' ? part : '');
  return { code: text(parts.code), message: text(parts.message), fix: text(parts.fix) };
}
