import { breadcrumb, formatSize } from '../format';
import { freeName, parseReference } from '../naming';
import { relativeToServer } from '../serverpath';
import { ID } from './records';

describe('freeName', () => {
  it('takes the last part of the repository while that is free', () => {
    expect(freeName('project/images', 'master', new Set())).toBe('images');
  });

  it('goes by branch, by commit, then by number', () => {
    const taken = new Set(['images']);
    expect(freeName('images', 'colour', taken)).toBe('images-colour');
    expect(freeName('images', ID, taken)).toBe('images-01234567');
    taken.add('images-colour');
    expect(freeName('images', 'colour', taken)).toBe('images-2');
  });

  it('suggests legal names only', () => {
    expect(freeName('images', 'master~2^', new Set(['images']))).toMatch(/^[A-Za-z0-9_.-]+$/);
  });
});

describe('parseReference', () => {
  it.each([
    ['images@master', { repo: 'images', ref: 'master' }],
    [' project/images@abcd^ ', { repo: 'project/images', ref: 'abcd^' }],
    ['images', null],
    ['images@', null],
    ['@master', null]
  ])('reads %j', (text, reference) => {
    expect(parseReference(text)).toEqual(reference);
  });
});

describe('relativeToServer', () => {
  it.each([
    ['/srv/work/dvmount/a', '/srv/work', 'dvmount/a'],
    ['/srv/work/dvmount/a', '/srv/work/', 'dvmount/a'],
    ['/srv/workshop/a', '/srv/work', null],
    ['/home/me/work/dvmount/a', '~/work', 'dvmount/a'],
    ['/home/me/dvmount/a', '~/work', null],
    ['/a/b', '/', 'a/b'],
    ['/a/b', '', null]
  ])('finds %s below %s', (path, root, relative) => {
    expect(relativeToServer(path, root)).toBe(relative);
  });
});

describe('formatSize', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.0 KB'],
    [9960, '10 KB'],
    [999_700, '1.0 MB'],
    [2_404_963, '2.4 MB'],
    [5e15, '5.0 PB'],
    [5e18, '5000 PB']
  ])('shows %d bytes as %s', (bytes, text) => {
    expect(formatSize(bytes)).toBe(text);
  });
});

describe('breadcrumb', () => {
  it('leads from the root to the directory', () => {
    expect(breadcrumb('/')).toEqual([]);
    expect(breadcrumb('/a/b c')).toEqual([
      { name: 'a', path: '/a' },
      { name: 'b c', path: '/a/b c' }
    ]);
  });
});
