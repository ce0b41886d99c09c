/**
 * The path that Jupyter's file browser has for an absolute path on the server.
 *
 * @param path - Absolute path.
 * @param root - The server's root directory as the page configuration has it; `~` stands for a home
 *   directory that the browser does not know.
 * @returns The path relative to the root, or null where it is not below it. With `~` this is a
 *   guess that has to be checked with the server.
 */
export function relativeToServer(path: string, root: string): string | null {
  if (!root) {
    return null;
  }
  const base = root.endsWith('/') ? root : `${root}/`;
  if (!base.startsWith('~/')) {
    return path.startsWith(base) ? path.slice(base.length) : null;
  }
  const belowHome = base.slice(1);
  const at = path.indexOf(belowHome);
  return at > 0 ? path.slice(at + belowHome.length) : null;
}
