import type { TranslationBundle } from '@jupyterlab/translation';
import React, { createContext, useContext, useSyncExternalStore } from 'react';

import type { Execute } from '../commands';
import type { Model } from '../models/model';
import type { DataVersions } from '../models/versions';

/** What every widget of the panel and of commit documents needs. */
export type Services = {
  readonly versions: DataVersions;
  readonly execute: Execute;
  readonly trans: TranslationBundle;
};

const ServicesContext = createContext<Services | null>(null);

export function ServicesProvider(
  props: React.PropsWithChildren<{ services: Services }>
): JSX.Element {
  return (
    <ServicesContext.Provider value={props.services}>{props.children}</ServicesContext.Provider>
  );
}

export function useServices(): Services {
  const services = useContext(ServicesContext);
  if (!services) {
    throw new Error('rendered outside a ServicesProvider');
  }
  return services;
}

/** Render again whenever the model changes. */
export function useModel<M extends Model>(model: M): M {
  useSyncExternalStore(
    React.useCallback(
      (render: () => void) => {
        model.changed.connect(render);
        return () => {
          model.changed.disconnect(render);
        };
      },
      [model]
    ),
    () => model.revision
  );
  return model;
}
