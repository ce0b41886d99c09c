import { Dialog, showDialog } from '@jupyterlab/apputils';
import { CodeEditor, CodeEditorWrapper, type IEditorServices } from '@jupyterlab/codeeditor';
import { Button, ReactWidget } from '@jupyterlab/ui-components';
import { Panel } from '@lumino/widgets';
import React, { useState } from 'react';

import { CommandIDs } from '../commands';
import { pipelineIcon } from '../icons';
import type { SpecModel } from '../models/spec';
import { locate } from '../spec/locate';
import { ServicesProvider, useModel, useServices, type Services } from './context';
import { LineMarks } from './marks';

const YAML = 'text/x-yaml';

/** A spec in an editor, with what is wrong with it below and the button that makes it a pipeline. */
export class SpecEditor extends Panel {
  constructor(
    readonly model: SpecModel,
    private readonly _services: Services,
    editors: IEditorServices
  ) {
    super();
    this.addClass('dvm-Spec');
    this.title.icon = pipelineIcon;
    this._editor = new CodeEditorWrapper({
      model: new CodeEditor.Model({ mimeType: YAML }),
      factory: options => editors.factoryService.newDocumentEditor(options)
    });
    this._editor.addClass('dvm-Spec-editor');
    const { sharedModel } = this._editor.model;
    sharedModel.setSource(model.text);
    sharedModel.changed.connect(() => {
      model.text = sharedModel.getSource();
    });
    this._editor.editor.injectExtension(this._marks.extension);
    const render = (content: JSX.Element) =>
      ReactWidget.create(<ServicesProvider services={_services}>{content}</ServicesProvider>);
    this.addWidget(render(<SpecHeader model={model} />));
    this.addWidget(this._editor);
    this.addWidget(render(<Remarks model={model} onGoTo={line => this._goTo(line)} />));
    this._showState();
    model.changed.connect(() => this._showState());
  }

  /** Ask before what was typed is lost. */
  async mayClose(): Promise<boolean> {
    if (!this.model.dirty) {
      return true;
    }
    const { trans } = this._services;
    const { button } = await showDialog({
      title: trans.__('Close without saving?'),
      body: trans.__('What you have typed is no pipeline yet, and will be lost.'),
      buttons: [Dialog.cancelButton(), Dialog.warnButton({ label: trans.__('Discard') })],
      defaultButton: 0
    });
    return button.accept;
  }

  override dispose(): void {
    this.model.dispose();
    super.dispose();
  }

  protected override onActivateRequest(): void {
    this._editor.editor.focus();
  }

  private _goTo(line: number): void {
    const position = { line, column: 0 };
    this._editor.editor.revealPosition(position);
    this._editor.editor.setCursorPosition(position);
    this._editor.editor.focus();
  }

  private _showState(): void {
    const { model, title } = this;
    title.label = model.pipeline || this._services.trans.__('New pipeline');
    title.className = model.dirty ? 'jp-mod-dirty' : '';
    // While somebody types, the editor takes no other change; marks move with their lines.
    if (model.checked) {
      const errors = model.remarks.filter(remark => remark.severity === 'error');
      const lines = errors.map(remark => locate(model.text, remark.text));
      this._marks.show(lines.filter(line => line !== null));
    }
  }

  private readonly _editor: CodeEditorWrapper;
  private readonly _marks = new LineMarks();
}

/** What will be made of the text, and the button that does it. */
function SpecHeader(props: { model: SpecModel }): JSX.Element {
  const { execute, trans } = useServices();
  const model = useModel(props.model);
  const [reprocess, setReprocess] = useState(false);
  const { existing, names } = model;
  const ready = model.checked && names.length > 0;
  const label = existing.length ? trans.__('Update') : trans.__('Create');
  return (
    <div className="dvm-Spec-header">
      <Button
        className="jp-mod-styled jp-mod-accept"
        disabled={!ready}
        onClick={() =>
          execute(CommandIDs.submitSpec, { reprocess: reprocess && existing.length > 0 })
        }
      >
        {label}
      </Button>
      <span className="dvm-Ellipsis dvm-Dim" role="status" title={names.join(', ')}>
        <Outcome model={model} />
      </span>
      {existing.length > 0 && (
        <label className="dvm-Spec-option" title={trans.__('Also those that have not changed')}>
          <input
            type="checkbox"
            checked={reprocess}
            onChange={event => setReprocess(event.target.checked)}
          />
          {trans.__('Run every datum again')}
        </label>
      )}
    </div>
  );
}

/** In words, what the button would do, or why it cannot. */
function Outcome(props: { model: SpecModel }): JSX.Element {
  const { trans } = useServices();
  const { checked, existing, names } = props.model;
  if (!checked) {
    return <>{trans.__('Checking…')}</>;
  }
  if (!names.length) {
    return <>{trans.__('Not a valid spec yet')}</>;
  }
  const made = names.filter(name => !existing.includes(name));
  const parts = [
    ...(made.length ? [trans.__('makes %1', made.join(', '))] : []),
    ...(existing.length ? [trans.__('changes %1', existing.join(', '))] : [])
  ];
  return <>{trans.__('Valid: %1', parts.join('; '))}</>;
}

/** What is wrong, and what has no effect; a click goes to the place. */
function Remarks(props: { model: SpecModel; onGoTo: (line: number) => void }): JSX.Element | null {
  const { trans } = useServices();
  const model = useModel(props.model);
  if (!model.remarks.length) {
    return null;
  }
  return (
    <ul className="dvm-Remarks" aria-label={trans.__('Messages')} aria-live="polite">
      {model.remarks.map((remark, index) => {
        const line = locate(model.text, remark.text);
        return (
          <li key={index} className={`dvm-Remark dvm-mod-${remark.severity}`}>
            <strong>{remark.severity === 'error' ? trans.__('Error') : trans.__('Warning')}</strong>
            <span>
              {remark.text}
              {remark.fix && <span className="dvm-Dim">{`; ${remark.fix}`}</span>}
              {line !== null && (
                <>
                  {' '}
                  <button type="button" className="dvm-Link" onClick={() => props.onGoTo(line)}>
                    {trans.__('line %1', line + 1)}
                  </button>
                </>
              )}
            </span>
          </li>
        );
      })}
    </ul>
  );
}
