import { nullTranslator } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import { Widget } from '@lumino/widgets';
import React from 'react';

import { DataVersions } from '../models/versions';
import { ServicesProvider, type Services } from '../widgets/context';
import { eventStream, FakeServer } from './server';

/** Size of everything on the screen, px: jsdom lays nothing out, and windowed lists need to know. */
const SIDE_PX = 400;

/** What a user has in front of him: a server, the models, and the commands that were executed. */
export class Screen {
  constructor() {
    for (const side of ['offsetWidth', 'offsetHeight', 'clientHeight'] as const) {
      Object.defineProperty(HTMLElement.prototype, side, { configurable: true, value: SIDE_PX });
    }
  }

  readonly server = new FakeServer();
  readonly events = eventStream();
  readonly versions = new DataVersions(this.server.api, this.events, 60_000);
  readonly executed: [string, unknown][] = [];
  readonly services: Services = {
    versions: this.versions,
    trans: nullTranslator.load('jupyter_dvmount'),
    execute: (id, args) => this.executed.push([id, args])
  };

  /** Show a component. */
  async show(component: React.FunctionComponent): Promise<HTMLElement> {
    const content = React.createElement(component);
    return this.attach(
      ReactWidget.create(
        React.createElement(ServicesProvider, { services: this.services }, content)
      )
    );
  }

  /** Show a widget. */
  async attach(widget: Widget): Promise<HTMLElement> {
    this._widgets.push(widget);
    Widget.attach(widget, document.body);
    await settle();
    return widget.node;
  }

  dispose(): void {
    this._widgets.forEach(widget => widget.dispose());
    this.versions.dispose();
  }

  private readonly _widgets: Widget[] = [];
}

/** Let requests be answered and everything be rendered. */
export async function settle(ms = 30): Promise<void> {
  await new Promise(resolve => setTimeout(resolve, ms));
}

/** The button with that label. */
export function button(node: HTMLElement, label: string): HTMLElement {
  const found = [...node.querySelectorAll<HTMLElement>('button')].find(
    each => each.getAttribute('aria-label') === label || each.textContent === label
  );
  if (!found) {
    throw new Error(`no button ${label} in ${node.innerHTML}`);
  }
  return found;
}
