import { PipelinesModel } from '../models/pipelines';
import { SpecModel } from '../models/spec';
import { pipeline } from './records';
import { settle } from './screen';
import { FakeServer } from './server';

const API = '/base/dvmount/api';
const TYPED_MS = 450;

async function start(text: string, name = '') {
  const server = new FakeServer();
  server.on('GET', `${API}/pipelines`, () => ({ body: { items: [pipeline('old')] } }));
  server.on('POST', `${API}/pipelines/check`, ({ body }) => {
    const { spec } = body as { spec: string };
    return spec.includes('wrong')
      ? { status: 400, body: { code: 'invalid', message: 'unknown field wrong', fix: 'mend it' } }
      : {
          body: { items: [{ name: spec, warnings: spec === 'pod' ? ['pod_spec: no effect'] : [] }] }
        };
  });
  server.on('POST', `${API}/pipelines`, ({ body }) => ({
    status: 201,
    body: { items: [pipeline((body as { spec: string }).spec)] }
  }));
  server.on('PUT', `${API}/pipelines`, ({ body }) => ({
    body: { items: [pipeline((body as { spec: string }).spec)] }
  }));
  const pipelines = new PipelinesModel(server.api);
  await pipelines.refresh();
  const model = new SpecModel(server.api, pipelines, text, name);
  await settle();
  return { server, model };
}

describe('SpecModel', () => {
  it('says at once which pipelines a text makes', async () => {
    const { model } = await start('new');
    expect(model.checked).toBe(true);
    expect(model.names).toEqual(['new']);
    expect(model.existing).toEqual([]);
    expect(model.remarks).toEqual([]);
  });

  it('checks what was typed once the user pauses', async () => {
    const { server, model } = await start('new');
    server.requests.length = 0;
    for (const text of ['w', 'wr', 'wrong']) {
      model.text = text;
    }
    expect(model.checked).toBe(false);
    await settle(TYPED_MS);
    expect(server.requests).toHaveLength(1);
    expect(model.names).toEqual([]);
    expect(model.remarks).toEqual([
      { severity: 'error', text: 'unknown field wrong', fix: 'mend it' }
    ]);
    model.dispose();
  });

  it('warns of fields without effect', async () => {
    const { model } = await start('pod');
    expect(model.remarks).toMatchObject([{ severity: 'warning', text: 'pod_spec: no effect' }]);
  });

  it('makes a new pipeline, and is its spec from then on', async () => {
    const { server, model } = await start('draft');
    expect(model.dirty).toBe(false);
    model.text = 'new';
    await settle(TYPED_MS);
    expect(model.dirty).toBe(true);
    expect(await model.submit()).toEqual(['new']);
    expect(server.paths()).toContain(`POST ${API}/pipelines`);
    expect(model.dirty).toBe(false);
    expect(model.pipeline).toBe('new');
  });

  it('changes a pipeline that there is', async () => {
    const { server, model } = await start('old', 'old');
    expect(model.dirty).toBe(false);
    expect(model.existing).toEqual(['old']);
    await model.submit(true);
    const sent = server.requests.find(request => request.method === 'PUT');
    expect(sent?.body).toEqual({ spec: 'old', reprocess: true });
  });

  it('is still unsaved where it is refused', async () => {
    const { server, model } = await start('draft');
    model.text = 'new';
    const body = { code: 'not_found', message: 'no repo images', fix: '' };
    server.on('POST', `${API}/pipelines`, () => ({ status: 404, body }));
    await expect(model.submit()).rejects.toMatchObject(body);
    expect(model.dirty).toBe(true);
  });
});
