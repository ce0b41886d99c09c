import type { Event } from '@jupyterlab/services';

import { DataVersions } from '../models/versions';
import { branch, commit, job, jobEvent, mount, pipeline, repo } from './records';
import { eventStream, FakeServer } from './server';

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
  server.on('GET', `${API}/pipelines`, () => ({ body: { items: [pipeline('edges')] } }));
  server.on('GET', `${API}/jobs`, () => ({ body: { items: [job('edges')], next: null } }));
  const events = eventStream();
  const versions = new DataVersions(server.api, events, 60_000);
  const emit = (event: Event.Emission) => events.emit(event);
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

  it('follows jobs by their events, and looks for those that are new', async () => {
    const { server, versions, emit } = start();
    versions.watched = true;
    await until(() => versions.jobs.list.ready && versions.pipelines.value !== null);
    server.requests.length = 0;
    emit(jobEvent('edges', { state: 'running' }));
    expect(versions.jobs.list.items[0].state).toBe('running');
    expect(versions.pipelines.get('edges')?.last_job_state).toBe('running');
    expect(server.requests).toEqual([]);
    emit(jobEvent('edges', { id: 'f'.repeat(32), state: 'created' }));
    await until(() => server.requests.length > 0);
    expect(server.paths()).toEqual([`GET ${API}/jobs`]);
    versions.dispose();
  });

  it('asks for pipelines again when one has changed, and for jobs when theirs are gone', async () => {
    const { server, versions, emit } = start();
    versions.watched = true;
    await until(() => versions.jobs.list.ready && versions.pipelines.value !== null);
    server.requests.length = 0;
    const pipelines = 'urn:jupyter-dvmount:pipeline:v1';
    emit({ schema_id: pipelines, action: 'updated', pipeline: 'edges' });
    emit({ schema_id: pipelines, action: 'deleted', pipeline: 'edges' });
    await until(() => server.requests.length >= 3);
    const [pipeline, job] = [`GET ${API}/pipelines`, `GET ${API}/jobs`];
    expect(server.paths().sort()).toEqual([job, pipeline, pipeline]);
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
