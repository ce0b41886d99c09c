import { MountsModel } from '../models/mounts';
import { deferred, ID, mount } from './records';
import { FakeServer, type Answer } from './server';

const MOUNTS = '/base/dvmount/api/mounts';
const MOUNT = '/base/dvmount/api/mount';

function start(): { server: FakeServer; model: MountsModel } {
  const server = new FakeServer();
  server.on('GET', MOUNTS, () => ({ body: { items: [] } }));
  return { server, model: new MountsModel(server.api) };
}

describe('MountsModel', () => {
  it('shows a mount as pending under its future name until the server answers', async () => {
    const { server, model } = start();
    const answer = deferred<Answer>();
    server.on('POST', MOUNTS, () => answer.promise);
    const mounted = model.mount({ repo: 'project/images', ref: 'master' });
    expect(model.pending.map(pending => pending.name)).toEqual(['images']);
    answer.resolve({ status: 201, body: mount('images') });
    await mounted;
    expect(model.pending).toEqual([]);
    expect(model.get('images')?.commit).toBe(ID);
  });

  it('shows nothing pending after a failure, and lets the caller know why', async () => {
    const { server, model } = start();
    const body = { code: 'already_exists', message: 'taken', fix: '' };
    server.on('POST', MOUNTS, () => ({ status: 409, body }));
    await expect(model.mount({ repo: 'images', ref: 'master' })).rejects.toMatchObject({
      code: 'already_exists'
    });
    expect(model.pending).toEqual([]);
  });

  it('follows the progress of a checkout', () => {
    const { model } = start();
    model.handle({ action: 'progress', name: 'images', repo: 'images', ref: 'master' });
    model.handle({
      action: 'progress',
      name: 'images',
      files_done: 2,
      bytes_done: 5,
      bytes_total: 9
    });
    expect(model.pending).toMatchObject([
      { name: 'images', repo: 'images', filesDone: 2, bytesDone: 5, bytesTotal: 9 }
    ]);
  });

  it('can cancel a mount that is being made, without calling that a failure', async () => {
    const { server, model } = start();
    const answer = deferred<Answer>();
    server.on('POST', MOUNTS, () => answer.promise);
    server.on('DELETE', MOUNT, () => {
      answer.resolve({ status: 409, body: { code: 'conflict', message: 'cancelled', fix: '' } });
      return { body: { name: 'images', holders: [] } };
    });
    const mounted = model.mount({ repo: 'images', ref: 'master' });
    await model.cancel('images');
    await expect(mounted).resolves.toBeNull();
    expect(model.pending).toEqual([]);
    expect(server.requests.find(request => request.method === 'DELETE')?.query.get('name')).toBe(
      'images'
    );
  });

  it('asks the server again when another process has mounted something', async () => {
    const { server, model } = start();
    server.on('GET', MOUNTS, () => ({ body: { items: [mount('other')] } }));
    model.handle({ action: 'mounted', name: 'other' });
    await new Promise<void>(resolve => {
      model.changed.connect(() => model.get('other') && resolve());
    });
    expect(model.of('images', ID)).toHaveLength(1);
    expect(model.of('images', 'f'.repeat(32))).toHaveLength(0);
  });

  it('moves a mount to the head of its branch, and takes what the server says', async () => {
    const { server, model } = start();
    const other = 'f'.repeat(32);
    server.on('PATCH', MOUNT, () => ({ body: mount('images', { commit: other }) }));
    await model.update(mount('images', { moved: true }));
    expect(server.requests[0].body).toEqual({ ref: 'master' });
    expect(model.get('images')?.commit).toBe(other);
  });

  it('forgets a mount once it is unmounted and tells who still reads it', async () => {
    const { server, model } = start();
    server.on('GET', MOUNTS, () => ({ body: { items: [mount('a'), mount('b')] } }));
    await model.refresh();
    const holders = [{ pid: 7, command: 'python' }];
    server.on('DELETE', MOUNT, () => ({ body: { name: 'a', holders } }));
    expect((await model.unmount('a')).holders).toEqual(holders);
    expect(model.mounts.map(each => each.name)).toEqual(['b']);
  });
});
