import type { IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';

/** State that widgets render: every change emits `changed` and raises `revision`. */
export class Model implements IDisposable {
  /** Emitted after the state has changed. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Grows with every change, so that a renderer can tell whether it has seen the state. */
  get revision(): number {
    return this._revision;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  dispose(): void {
    if (this._disposed) {
      return;
    }
    this._disposed = true;
    Signal.clearData(this);
  }

  protected notify(): void {
    if (!this._disposed) {
      this._revision++;
      this._changed.emit();
    }
  }

  private readonly _changed = new Signal<this, void>(this);
  private _revision = 0;
  private _disposed = false;
}
