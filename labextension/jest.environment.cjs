/** What browsers have and jsdom lacks: fetch, here Node's own, and what the toolkit expects when it is loaded. */
const { TestEnvironment } = require('jest-environment-jsdom');

module.exports = class extends TestEnvironment {
  constructor(...args) {
    super(...args);
    const { global } = this;
    Object.assign(global, { fetch, Request, Response, Headers, AbortController, AbortSignal });
    global.DragEvent = class extends global.Event {};
    global.requestIdleCallback = work => setTimeout(work, 0);
    global.matchMedia = () => ({ matches: false, addEventListener() {}, addListener() {} });
  }
};
