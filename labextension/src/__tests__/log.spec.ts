import type { LogLine } from '../api';
import { LogModel, type LogRow } from '../models/log';
import { deferred } from './records';
import { FakeServer, type Answer } from './server';

const LOG = '/base/dvmount/api/log';
const KEY = { pipeline: 'edges', id: 'abc' };

function line(datum: string, text: string): LogLine {
  return { job: 'edges@abc', datum, attempt: 1, time: '2026-01-02T03:04:05Z', text, engine: false };
}

/** A job that prints; parts of two lines. */
class Printer {
  readonly lines: LogLine[] = [];
  ended = false;
  readonly server = new FakeServer();
  readonly model = new LogModel(this.server.api, KEY);

  constructor() {
    this.server.on('GET', LOG, ({ query }) => {
      const shown = this.lines.filter(
        line => query.get('failed') !== 'true' || line.datum === 'bad'
      );
      const from = Number(query.get('after') ?? 0);
      const items = shown.slice(from, from + 2);
      const next = from + items.length;
      const more = next < shown.length;
      return { body: { items, next: String(next), more, ended: this.ended && !more } };
    });
  }

  print(datum: string, ...texts: string[]): void {
    this.lines.push(...texts.map(text => line(datum, text)));
  }

  get shown(): string[] {
    return this.model.rows.map(shownAs);
  }
}

function shownAs(row: LogRow): string {
  return row.kind === 'datum' ? `[${row.datum}]` : row.line.text;
}

describe('LogModel', () => {
  it('shows every line once, below the datum that it is of', async () => {
    const printer = new Printer();
    printer.print('a', '1', '2', '3');
    await printer.model.refresh();
    printer.print('a', '4');
    printer.print('b', '5');
    await printer.model.refresh();
    expect(printer.shown).toEqual(['[a]', '1', '2', '3', '4', '[b]', '5']);
    expect(printer.model.text).toBe('# a\n1\n2\n3\n4\n# b\n5');
  });

  it('waits for what is new, but not for the first answer, and asks no more once all is there', async () => {
    const printer = new Printer();
    printer.print('a', '1');
    await printer.model.refresh();
    await printer.model.refresh();
    expect(printer.server.requests.map(({ query }) => query.get('wait'))).toEqual(['0', '20']);
    printer.ended = true;
    await printer.model.refresh();
    expect(printer.model.ended).toBe(true);
    const { length } = printer.server.requests;
    await printer.model.refresh();
    expect(printer.server.requests).toHaveLength(length);
  });

  it('reads again from the beginning where only failed attempts are wanted', async () => {
    const printer = new Printer();
    printer.print('good', '1', '2');
    printer.print('bad', '3');
    await printer.model.refresh();
    printer.model.failedOnly = true;
    await new Promise(resolve => setTimeout(resolve, 30));
    expect(printer.shown).toEqual(['[bad]', '3']);
  });

  it('keeps what it has when a request fails, and goes on from there', async () => {
    const printer = new Printer();
    printer.print('a', '1');
    await printer.model.refresh();
    printer.server.on('GET', LOG, () => Promise.reject(new TypeError('Failed to fetch')));
    await printer.model.refresh();
    expect(printer.model.error?.code).toBe('offline');
    expect(printer.shown).toEqual(['[a]', '1']);
  });

  it('stops reading where nobody could look through it', async () => {
    const printer = new Printer();
    const items = Array.from({ length: 50_000 }, () => line('a', 'x'));
    printer.server.on('GET', LOG, () => ({ body: { items, next: 'x', more: true, ended: false } }));
    await printer.model.refresh();
    expect(printer.model.full).toBe(true);
    expect(printer.server.requests).toHaveLength(4);
    await printer.model.refresh();
    expect(printer.server.requests).toHaveLength(4);
  });

  it('waits no longer when it is told to rest, and goes on later', async () => {
    const printer = new Printer();
    await printer.model.refresh();
    const { promise, resolve } = deferred<Answer>();
    printer.server.on('GET', LOG, () => promise);
    const waiting = printer.model.refresh();
    printer.model.rest();
    resolve({ body: { items: [line('a', 'late')], next: '1', more: false, ended: false } });
    await waiting;
    expect(printer.shown).toEqual([]);
    await printer.model.refresh();
    expect(printer.shown).toEqual(['[a]', 'late']);
  });

  it('is silent once it is disposed', async () => {
    const printer = new Printer();
    printer.print('a', '1');
    const reading = printer.model.refresh();
    const changed = jest.fn();
    printer.model.changed.connect(changed);
    printer.model.dispose();
    await reading;
    expect(changed).not.toHaveBeenCalled();
  });
});
