/** Real JupyterLab servers of their own, in Debian's Chromium. */
const fs = require('fs');
const os = require('os');
const path = require('path');
const baseConfig = require('@jupyterlab/galata/lib/playwright-config');

// Workers load this file again and inherit the environment: one directory for all of them.
process.env.DVM_UI_DIR ??= fs.mkdtempSync(path.join(os.tmpdir(), 'dvm-ui-'));

// tests/lab.ts knows these too.
const PORT = 18781;
const WITHOUT_SERVER_HALF = 18782;
const WITHOUT_FUSE = 18783;
const TOKEN = 'ui-tests';
const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

const server = (port, ...options) => ({
  command: `exec python server.py --port ${port} --token ${TOKEN} ${options.join(' ')}`,
  url: `http://127.0.0.1:${port}/api?token=${TOKEN}`,
  timeout: 120_000,
  reuseExistingServer: false,
  gracefulShutdown: { signal: 'SIGTERM', timeout: 20_000 },
  stdout: 'ignore',
  stderr: process.env.DVM_UI_VERBOSE ? 'pipe' : 'ignore'
});

module.exports = {
  ...baseConfig,
  testDir: 'tests',
  timeout: 90_000,
  workers: 1,
  retries: 0,
  fullyParallel: false,
  reporter: [['list']],
  use: {
    ...baseConfig.use,
    baseURL: `http://127.0.0.1:${PORT}`,
    extraHTTPHeaders: { Authorization: `token ${TOKEN}` },
    permissions: ['clipboard-read', 'clipboard-write'],
    viewport: { width: 1280, height: 800 },
    video: 'off',
    trace: 'off',
    screenshot: 'only-on-failure',
    launchOptions: {
      executablePath: CHROMIUM.find(file => fs.existsSync(file)),
      args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu']
    }
  },
  webServer: [
    server(PORT),
    server(WITHOUT_SERVER_HALF, '--no-server-half'),
    server(WITHOUT_FUSE, '--mode checkout')
  ]
};
