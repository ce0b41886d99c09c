import type { Api, Mount } from './api';
import { variantFor, type Variant } from './snippets';

/** Directories that are looked into for an example, and entries that are read of each. */
const DIRECTORIES = 8;
const ENTRIES = 500;

/** The path in the commit of a first file of that kind, near the top of a mount, or null. */
export async function findSample(api: Api, mount: Mount, variant: Variant): Promise<string | null> {
  const queue = ['/'];
  for (let looked = 0; looked < DIRECTORIES && queue.length; looked++) {
    const path = queue.shift()!;
    const page = await api.files({ repo: mount.repo, ref: mount.commit, path, limit: ENTRIES });
    const found = page.items.find(
      file => file.type === 'file' && variantFor(file.path) === variant
    );
    if (found) {
      return found.path;
    }
    queue.push(...page.items.filter(file => file.type === 'dir').map(file => file.path));
  }
  return null;
}
