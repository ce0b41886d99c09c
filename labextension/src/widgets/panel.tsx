import {
  addIcon,
  caretDownIcon,
  caretRightIcon,
  ReactWidget,
  refreshIcon
} from '@jupyterlab/ui-components';
import type { Message } from '@lumino/messaging';
import React, { useState } from 'react';

import { CommandIDs } from '../commands';
import { dvmountIcon } from '../icons';
import { ServicesProvider, useModel, useServices, type Services } from './context';
import { IconButton } from './controls';
import { HealthStrip } from './health';
import { JobFilters, JobList } from './jobs';
import { MountList } from './mounts';
import { PipelineList } from './pipelines';
import { RepositoryTree } from './repositories';
import { Failure, Loading } from './states';

/** The sidebar: health, what is mounted, the repositories, pipelines and jobs. */
export class Panel extends ReactWidget {
  constructor(private readonly _services: Services) {
    super();
    const title = _services.trans.__('Data versions');
    this.id = 'jupyter-dvmount-panel';
    this.title.icon = dvmountIcon;
    this.title.caption = title;
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', title);
    this.addClass('dvm-Panel');
  }

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this._services.versions.watched = true;
  }

  protected override onAfterHide(message: Message): void {
    this._services.versions.watched = false;
    super.onAfterHide(message);
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this._services.versions.watched = this.isVisible;
  }

  protected override render(): JSX.Element {
    return (
      <ServicesProvider services={this._services}>
        <PanelContent />
      </ServicesProvider>
    );
  }
}

function PanelContent(): JSX.Element {
  const { versions, execute, trans } = useServices();
  const health = useModel(versions.health);
  return (
    <>
      <div className="dvm-Header">
        <h2 className="dvm-Header-title dvm-Ellipsis">{trans.__('Data versions')}</h2>
        <IconButton
          icon={refreshIcon}
          label={trans.__('Refresh data versions')}
          onClick={() => execute(CommandIDs.refresh)}
        />
      </div>
      {health.value ? (
        <>
          <HealthStrip />
          <Section title={trans.__('Mounted')} className="dvm-Mounts">
            <MountList />
          </Section>
          <Section title={trans.__('Repositories')} className="dvm-Repositories">
            <Filter />
            <RepositoryTree />
          </Section>
          <Section
            title={trans.__('Pipelines')}
            className="dvm-Pipelines"
            action={
              <IconButton
                icon={addIcon}
                label={trans.__('New pipeline')}
                onClick={() => execute(CommandIDs.newPipeline)}
              />
            }
          >
            <PipelineList />
          </Section>
          <Section title={trans.__('Jobs')} className="dvm-Jobs">
            <JobFilters />
            <JobList />
          </Section>
        </>
      ) : health.error ? (
        <Failure error={health.error} retry={() => void versions.refresh()} />
      ) : (
        <Loading />
      )}
    </>
  );
}

type SectionProps = React.PropsWithChildren<{
  title: string;
  className: string;
  action?: React.ReactNode;
}>;

function Section(props: SectionProps): JSX.Element {
  const [open, setOpen] = useState(true);
  const Caret = open ? caretDownIcon : caretRightIcon;
  return (
    <section className={`dvm-Section ${props.className} ${open ? '' : 'dvm-mod-collapsed'}`}>
      <h3>
        <button
          type="button"
          className="dvm-Section-title"
          aria-expanded={open}
          onClick={() => setOpen(!open)}
        >
          <Caret.react tag="span" className="dvm-IconButton-icon" />
          <span className="dvm-Ellipsis">{props.title}</span>
        </button>
        {props.action}
      </h3>
      {open && props.children}
    </section>
  );
}

function Filter(): JSX.Element | null {
  const { versions, trans } = useServices();
  const model = useModel(versions.repositories);
  if (model.isEmpty) {
    return null;
  }
  return (
    <div className="dvm-Filter">
      <input
        type="search"
        className="jp-mod-styled"
        spellCheck={false}
        value={model.filter}
        placeholder={trans.__('Filter by name')}
        aria-label={trans.__('Filter repositories by name')}
        onChange={event => {
          model.filter = event.target.value;
        }}
      />
    </div>
  );
}
