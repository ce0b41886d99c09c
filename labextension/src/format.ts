/** Digits of a commit's id that are shown; the store takes any unique prefix. */
const SHORT_ID = 8;
const UNITS = ['B', 'KB', 'MB', 'GB', 'TB', 'PB'];

export function shortId(commit: string): string {
  return commit.slice(0, SHORT_ID);
}

/** A number of bytes with three digits at most, in powers of 1000 as JupyterLab's file browser. */
export function formatSize(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (Math.round(value) >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  const digits = unit > 0 && value < 9.95 ? 1 : 0;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

/** A path in a commit, taken apart for a breadcrumb: each directory with its absolute path. */
export function breadcrumb(path: string): { name: string; path: string }[] {
  const names = path.split('/').filter(name => name);
  return names.map((name, index) => ({
    name,
    path: '/' + names.slice(0, index + 1).join('/')
  }));
}

/** The last component of a path in a commit. */
export function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
