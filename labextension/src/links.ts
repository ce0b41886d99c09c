/**
 * An address that may be the target of a link; null for all that is no page of the web, such as
 * `javascript:`, since addresses come out of what jobs have written.
 */
export function webAddress(address: string): string | null {
  try {
    const url = new URL(address);
    return url.protocol === 'https:' || url.protocol === 'http:' ? url.href : null;
  } catch {
    return null;
  }
}
