import { ApiError } from '../api';
import { FakeServer } from './server';

const API = '/base/dvmount/api';

describe('Api', () => {
  it('goes below the base URL of the server and escapes what it sends', async () => {
    const server = new FakeServer();
    server.on('GET', `${API}/files`, () => ({ body: { items: [], next: null } }));
    await server.api.files({ repo: 'project/a b', ref: 'master', path: '/x&y?#/ü', limit: 7 });
    const [{ query }] = server.requests;
    expect(query.get('repo')).toBe('project/a b');
    expect(query.get('path')).toBe('/x&y?#/ü');
    expect(query.get('limit')).toBe('7');
  });

  it('leaves out parameters that have no value', async () => {
    const server = new FakeServer();
    server.on('GET', `${API}/repos`, () => ({ body: { items: [], next: null } }));
    await server.api.repos({ filter: '', after: '' });
    const { query } = server.requests[0];
    expect(query.has('filter') || query.has('after') || query.has('limit')).toBe(false);
  });

  it('sends what to mount as JSON', async () => {
    const server = new FakeServer();
    server.on('POST', `${API}/mounts`, () => ({ status: 201, body: { name: 'images' } }));
    await server.api.mount({ repo: 'images', ref: 'master', follow: true });
    expect(server.requests[0].body).toEqual({ repo: 'images', ref: 'master', follow: true });
  });

  it('hands on code, message and fix of an error of the store', async () => {
    const server = new FakeServer();
    const body = { code: 'not_found', message: 'no repo cats', fix: 'dvmount list repo' };
    server.on('GET', `${API}/commit`, () => ({ status: 404, body }));
    await expect(server.api.commit('cats', 'master')).rejects.toMatchObject(body);
  });

  it('tells a missing server half from a missing repository', async () => {
    const server = new FakeServer();
    await expect(server.api.health()).rejects.toMatchObject({ code: 'server_missing' });
  });

  it('says that the server is out of reach when it is', async () => {
    const server = new FakeServer();
    server.on('GET', `${API}/health`, () => Promise.reject(new TypeError('Failed to fetch')));
    await expect(server.api.health()).rejects.toMatchObject({ code: 'offline' });
  });

  it.each([
    ['an error page of a proxy', 502, '<html>'],
    ['an unknown code', 500, { code: 'surprise', message: 'x' }],
    ['an error that is no object', 500, null],
    ['a message that is no text', 500, { code: 'invalid', message: { a: 1 } }]
  ])('makes a readable error of %s', async (_, status, body) => {
    const server = new FakeServer();
    server.on('GET', `${API}/health`, () => ({ status, body }));
    const error: unknown = await server.api.health().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ApiError);
    expect((error as ApiError).message).not.toContain('[object');
  });

  it('asks to log in again where Jupyter refuses', async () => {
    const server = new FakeServer();
    server.on('GET', `${API}/mounts`, () => ({ status: 403, body: { message: 'Forbidden' } }));
    await expect(server.api.mounts()).rejects.toMatchObject({ code: 'denied' });
  });
});
