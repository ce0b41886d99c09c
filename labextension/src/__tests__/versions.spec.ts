import type { Event } from '@jupyterlab/services';
import { Stream } from '@lumino/signaling';

import { DataVersions } from '../models/versions';
import { branch, commit, mount, repo } from './records';
import { FakeServer } from './server';

const API = '/base/dvmount/api';
const CHANGE = 'urn:jupyter-dvmount:change:v1';

function start() {
  const server = new FakeServer();
  const health = { version: '0', store_url: 'file:///s', mount_root: '/m', checks: [] };
  server.on('GET', `${API}/health`, () => ({ body: health }));
  server.on('GET', `${API}/mounts`, () => ({ body: { items: [mount('images')] } }));
  server.on('GET', `${API}/repos`, request => {
    const names = ['images', 'iris'].filter(name =>
      name.includes(request.query.get('filter') ?? '')
    );
    return { body: { items: names.map(repo), next: null } };
  });
  server.on('GET', `${API}/branches`, () => ({ body: { items: [branch('master')] } }));
  server.on('GET', `${API}/commits`, () => ({
    body: { items: [commit('a'.repeat(32))], next: null }
  }));
  const stream: Event.Stream = new Stream({} as Event.IManager);
  const versions = new DataVersions(server.api, stream, 60_000);
  const emit = (event: Event.Emission) =>
    (stream as Stream<Event.IManager, Event.Emission>).emit(event);
  return { server, versions, emit };
}

function until(condition: () => boolean): Promise<void> {
  return new Promise(resolve => {
    const look = () => (condition() ? resolve() : setTimeout(look, 5));
    look();
  });
}

describe('DataVersions', () => {
  it('asks for nothing while nobody looks', async () => {
    const { server, versions } = start();
    await new Promise(resolve => setTimeout(resolve, 50));
    expect(server.requests).toEqual([]);
    versions.dispose();
  });

  it('loads health, mounts and repositories when the panel is shown', async () => {
    const { versions } = start();
    versions.watched = true;
    await until(() => versions.repositories.list.ready && versions.mounts.value !== null);
    expect(versions.health.value?.mount_root).toBe('/m');
    expect(versions.repositories.list.items.map(each => each.name)).toEqual(['images', 'iris']);
    versions.dispose();
  });

  it('does not ask a server half that is missing for more than its health', async () => {
    const { server, versions } = start();
    server.on('GET', `${API}/health`, () => ({ status: 404, body: {} }));
    await versions.refresh();
    expect(versions.health.error?.code).toBe('server_missing');
    expect(server.paths()).toEqual([`GET ${API}/health`]);
    versions.dispose();
  });

  it('refreshes what a change is about, once for a burst of changes', async () => {
    const { server, versions, emit } = start();
    versions.watched = true;
    await until(() => versions.repositories.list.ready && versions.mounts.value !== null);
    versions.repositories.expand('images');
    await until(() => versions.repositories.expanded('images')?.commits.ready === true);
    server.requests.length = 0;
    for (let count = 0; count < 100; count++) {
      emit({ schema_id: CHANGE, kind: 'commit', action: 'finished', repo: 'images' });
    }
    await until(() => server.requests.length >= 4);
    await new Promise(resolve => setTimeout(resolve, 50));
    expect(server.paths().sort()).toEqual(
      ['branches', 'commits', 'mounts', 'repos'].map(route => `GET ${API}/${route}`)
    );
    versions.dispose();
  });

  it('leaves events of other extensions alone', async () => {
    const { server, versions, emit } = start();
    emit({ schema_id: 'https://events.jupyter.org/other', repo: 'images', action: 'get' });
    await new Promise(resolve => setTimeout(resolve, 20));
    expect(server.requests).toEqual([]);
    versions.dispose();
  });

  it('filters by name on the server, with the last thing typed', async () => {
    const { server, versions } = start();
    versions.repositories.filter = 'i';
    versions.repositories.filter = 'iris';
    await until(() => versions.repositories.list.ready);
    expect(versions.repositories.list.items.map(each => each.name)).toEqual(['iris']);
    expect(server.requests).toHaveLength(1);
    versions.dispose();
  });
});
