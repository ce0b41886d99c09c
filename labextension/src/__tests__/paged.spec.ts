import { ApiError, type Page } from '../api';
import { PagedList } from '../models/paged';
import { deferred } from './records';

/** Pages over the numbers below `count`; the marker is the last number seen. */
function numbers(count: number) {
  return (after: string, limit: number): Promise<Page<number>> => {
    const from = after === '' ? 0 : Number(after) + 1;
    const to = Math.min(from + limit, count);
    const items = Array.from({ length: to - from }, (_, index) => from + index);
    return Promise.resolve({ items, next: to < count ? String(to - 1) : null });
  };
}

describe('PagedList', () => {
  it('reads every entry exactly once, a small page first', async () => {
    const list = new PagedList(numbers(25), 3, 10);
    await list.loadMore();
    expect(list.items).toEqual([0, 1, 2]);
    while (list.hasMore) {
      await list.loadMore();
    }
    expect(list.items).toEqual(Array.from({ length: 25 }, (_, index) => index));
  });

  it('asks for a page once, however often the end comes into view', async () => {
    const fetch = jest.fn(numbers(10));
    const list = new PagedList(fetch, 3, 3);
    await Promise.all([list.loadMore(), list.loadMore(), list.loadMore()]);
    expect(fetch).toHaveBeenCalledTimes(1);
  });

  it('asks for nothing behind the end', async () => {
    const fetch = jest.fn(numbers(2));
    const list = new PagedList(fetch, 3, 3);
    await list.loadMore();
    await list.loadMore();
    expect(fetch).toHaveBeenCalledTimes(1);
  });

  it('reloads as much as is shown and keeps it on screen meanwhile', async () => {
    let count = 25;
    const list = new PagedList((after, limit) => numbers(count)(after, limit), 3, 10);
    await list.loadMore();
    await list.loadMore();
    expect(list.items).toHaveLength(13);
    count = 12;
    const reloaded = list.reload();
    expect(list.items).toHaveLength(13);
    await reloaded;
    expect(list.items).toHaveLength(12);
    expect(list.hasMore).toBe(false);
  });

  it('keeps what it has when a page fails, and goes on from there', async () => {
    const fetch = jest.fn(numbers(10));
    const list = new PagedList(fetch, 3, 3);
    await list.loadMore();
    fetch.mockRejectedValueOnce(new ApiError('offline', 'gone'));
    await list.loadMore();
    expect(list.error?.code).toBe('offline');
    expect(list.items).toEqual([0, 1, 2]);
    await list.loadMore();
    expect(list.error).toBeNull();
    expect(list.items).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('drops an answer that a newer request has overtaken', async () => {
    const slow = deferred<Page<number>>();
    const fetch = jest.fn<Promise<Page<number>>, [string, number]>(numbers(1));
    fetch.mockReturnValueOnce(slow.promise);
    const list = new PagedList(fetch, 3, 3);
    const first = list.loadMore();
    await list.reload();
    slow.resolve({ items: [99], next: null });
    await first;
    expect(list.items).toEqual([0]);
  });

  it('says nothing more once it is disposed', async () => {
    const slow = deferred<Page<number>>();
    const list = new PagedList(() => slow.promise, 3, 3);
    const loading = list.loadMore();
    const changed = jest.fn();
    list.changed.connect(changed);
    list.dispose();
    slow.resolve({ items: [1], next: null });
    await loading;
    expect(changed).not.toHaveBeenCalled();
  });
});
