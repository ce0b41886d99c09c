import { shortId } from './format';
import { defaultName } from './models/mounts';

const COMMIT_ID = /^[0-9a-f]{32}$/;

/** A name for a mount that nobody has taken: after the branch, else after the commit, else numbered. */
export function freeName(repo: string, ref: string, taken: ReadonlySet<string>): string {
  const base = defaultName(repo);
  const suffix = isCommitId(ref) ? shortId(ref) : ref.replace(/[^A-Za-z0-9_.-]+/g, '-');
  let name = base;
  for (let number = 1; taken.has(name); number++) {
    name = `${base}-${number === 1 ? suffix : number}`;
  }
  return name;
}

/** Split `repo@ref`; null where a part is missing. */
export function parseReference(text: string): { repo: string; ref: string } | null {
  const at = text.trim().lastIndexOf('@');
  const repo = text.trim().slice(0, at);
  const ref = text.trim().slice(at + 1);
  return at > 0 && ref ? { repo, ref } : null;
}

export function isCommitId(ref: string): boolean {
  return COMMIT_ID.test(ref);
}
