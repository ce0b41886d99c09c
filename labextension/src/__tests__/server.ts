import { ServerConnection, type Event } from '@jupyterlab/services';
import { Stream } from '@lumino/signaling';

import { Api } from '../api';

/** A request as the server sees it. */
export type Request = { method: string; path: string; query: URLSearchParams; body: unknown };
/** What to answer: a status and a body, or a promise of them. */
export type Answer = { status?: number; body?: unknown };
type Route = (request: Request) => Answer | Promise<Answer>;

/** A client whose `fetch` is answered by functions; everything above `fetch` is the real thing. */
export class FakeServer {
  readonly requests: Request[] = [];
  readonly api = new Api(
    ServerConnection.makeSettings({
      baseUrl: 'http://jupyter/base/',
      fetch: (input, init) => this._answer(new URL((input as globalThis.Request).url), input, init)
    })
  );

  on(method: string, path: string, route: Route): void {
    this._routes.set(`${method} ${path}`, route);
  }

  paths(): string[] {
    return this.requests.map(request => `${request.method} ${request.path}`);
  }

  private async _answer(url: URL, input: unknown, init?: RequestInit): Promise<Response> {
    const sent = input as globalThis.Request;
    const signal = init?.signal ?? sent.signal;
    const text = await sent.text();
    const request = {
      method: sent.method,
      path: url.pathname,
      query: url.searchParams,
      body: text ? (JSON.parse(text) as unknown) : undefined
    };
    this.requests.push(request);
    const route = this._routes.get(`${request.method} ${request.path}`);
    if (!route) {
      return new Response('<html>404</html>', { status: 404, statusText: 'Not Found' });
    }
    const { status = 200, body } = await route(request);
    if (signal?.aborted) {
      throw new DOMException('aborted', 'AbortError');
    }
    return new Response(JSON.stringify(body), { status });
  }

  private readonly _routes = new Map<string, Route>();
}

/** A stream of events that a test fills. */
export function eventStream(): Stream<Event.IManager, Event.Emission> {
  return new Stream({} as Event.IManager);
}
