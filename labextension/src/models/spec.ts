import { Debouncer } from '@lumino/polling';

import { ApiError, type Api } from '../api';
import { Model } from './model';
import type { PipelinesModel } from './pipelines';

const TYPING_MS = 400;

/** What is said about a text. */
export type Remark = {
  readonly severity: 'error' | 'warning';
  readonly text: string;
  readonly fix: string;
};

/** A text that is to become one or more pipelines, and what the server says of it. */
export class SpecModel extends Model {
  /**
   * @param text - To begin with.
   * @param pipeline - The pipeline whose spec it is; empty for a new one.
   */
  constructor(
    private readonly _api: Api,
    private readonly _pipelines: PipelinesModel,
    text: string,
    pipeline = ''
  ) {
    super();
    this._text = text;
    this._saved = text;
    this._pipeline = pipeline;
    this._checks = new Debouncer(() => this._check(), TYPING_MS);
    _pipelines.changed.connect(() => this.notify(), this);
    if (!_pipelines.value) {
      void _pipelines.refresh();
    }
    void this._check();
  }

  /** The pipeline whose spec it is; empty until there is one. */
  get pipeline(): string {
    return this._pipeline;
  }

  get text(): string {
    return this._text;
  }

  set text(text: string) {
    if (text !== this._text) {
      this._text = text;
      this._checked = false;
      this.notify();
      void this._checks.invoke();
    }
  }

  /** Whether something was typed that is no pipeline yet. */
  get dirty(): boolean {
    return this._text !== this._saved;
  }

  /** Whether what is said below is about the text as it is now. */
  get checked(): boolean {
    return this._checked;
  }

  /** What is wrong with the text, or has no effect in it. */
  get remarks(): readonly Remark[] {
    return this._remarks;
  }

  /** Names of the pipelines that the text describes; none while it is wrong. */
  get names(): readonly string[] {
    return this._names;
  }

  /** Those of them that there are already, and that would be changed. */
  get existing(): readonly string[] {
    return this._names.filter(name => this._pipelines.get(name));
  }

  /**
   * Make the pipelines, or change those that there are.
   *
   * @param reprocess - Have every datum run again, changed or not.
   * @returns Their names.
   * @throws ApiError where that does not work; nothing has changed then.
   */
  async submit(reprocess = false): Promise<readonly string[]> {
    const text = this._text;
    const made = this.existing.length
      ? await this._api.updatePipelines(text, reprocess)
      : await this._api.createPipelines(text);
    const names = made.map(pipeline => pipeline.name);
    this._saved = text;
    this._pipeline = names[0] ?? this._pipeline;
    this.notify();
    void this._pipelines.refresh();
    return names;
  }

  override dispose(): void {
    this._checks.dispose();
    this._request?.abort();
    super.dispose();
  }

  private async _check(): Promise<void> {
    this._request?.abort();
    const request = (this._request = new AbortController());
    let names: readonly string[] = [];
    let remarks: readonly Remark[];
    try {
      const specs = await this._api.checkSpec(this._text, request.signal);
      names = specs.map(spec => spec.name);
      remarks = specs.flatMap(spec =>
        spec.warnings.map(text => ({ severity: 'warning', text, fix: '' }) as const)
      );
    } catch (reason) {
      const { message, fix } = ApiError.from(reason);
      remarks = [{ severity: 'error', text: message, fix }];
    }
    if (this._request === request) {
      this._request = null;
      this._names = names;
      this._remarks = remarks;
      this._checked = true;
      this.notify();
    }
  }

  private _text: string;
  private _saved: string;
  private _pipeline: string;
  private _checked = false;
  private _names: readonly string[] = [];
  private _remarks: readonly Remark[] = [];
  private _request: AbortController | null = null;
  private readonly _checks: Debouncer;
}
