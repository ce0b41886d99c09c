import { Notification } from '@jupyterlab/apputils';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import { ApiError } from './api';

const SECONDS = 1000;

/** Tell the user what failed and what to do about it. */
export function reportError(reason: unknown): void {
  const { message, fix } = ApiError.from(reason);
  Notification.error(fix ? `${message}\n${fix}` : message, { autoClose: 15 * SECONDS });
}

/**
 * A command's work whose failures the user gets to see: menus, palette and shortcuts drop them.
 */
export function reporting(
  work: (args: ReadonlyPartialJSONObject) => Promise<void>
): (args: ReadonlyPartialJSONObject) => Promise<void> {
  return args => work(args).catch(reportError);
}

/** Tell the user something in passing. */
export function tell(message: string): void {
  Notification.info(message, { autoClose: 4 * SECONDS });
}
