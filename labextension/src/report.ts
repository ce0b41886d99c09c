import { Notification } from '@jupyterlab/apputils';

import { ApiError } from './api';

const SECONDS = 1000;

/** Tell the user what failed and what to do about it. */
export function reportError(reason: unknown): void {
  const { message, fix } = ApiError.from(reason);
  Notification.error(fix ? `${message}\n${fix}` : message, { autoClose: 15 * SECONDS });
}

/** Tell the user something in passing. */
export function tell(message: string): void {
  Notification.info(message, { autoClose: 4 * SECONDS });
}
