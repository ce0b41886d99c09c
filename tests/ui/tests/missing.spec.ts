import { expect, test } from '@jupyterlab/galata';

import { openPanel, WITHOUT_SERVER_HALF } from './lab';

test.use({ baseURL: `http://127.0.0.1:${WITHOUT_SERVER_HALF}` });

test('without the server half the panel says how to install it', async ({ page }, info) => {
  const panel = await openPanel(page);
  await expect(panel.getByText('The server half of jupyter-dvmount is not running')).toBeVisible();
  await expect(panel.getByText('pip install jupyter-dvmount')).toBeVisible();
  await expect(panel.getByText('Repositories')).toBeHidden();
  await page.screenshot({ path: info.outputPath('missing.png') });
});
