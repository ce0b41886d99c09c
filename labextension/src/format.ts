/** Digits of a commit's id that are shown; the store takes any unique prefix. */
const SHORT_ID = 8;
/** Characters of a text that are told in passing. */
const SPOKEN = 100;
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

/** A time span of seconds, as in `850 ms`, `12 s`, `3 min 5 s` or `2 h 10 min`. */
export function formatSpan(seconds: number): string {
  if (seconds < 1) {
    return `${Math.round(Math.max(seconds, 0) * 1000)} ms`;
  }
  const whole = Math.round(seconds);
  if (whole < 60) {
    return `${whole} s`;
  }
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours ? `${hours} h ${minutes} min` : `${minutes} min ${whole % 60} s`;
}

/** The beginning of a long text, to be told in passing. */
export function abridged(text: string): string {
  const [line] = text.split('\n', 1);
  const end = line.length < text.length || line.length > SPOKEN ? '…' : '';
  return line.slice(0, SPOKEN) + end;
}
