import { Model } from './model';

/** A row of the panel that commands without arguments act on. */
export type Selected =
  | { readonly kind: 'mount'; readonly name: string }
  | { readonly kind: 'repo'; readonly repo: string }
  | { readonly kind: 'branch'; readonly repo: string; readonly branch: string }
  | { readonly kind: 'commit'; readonly repo: string; readonly commit: string }
  | { readonly kind: 'pipeline'; readonly pipeline: string }
  | { readonly kind: 'job'; readonly pipeline: string; readonly id: string };

/** Which row the user has chosen last. */
export class SelectionModel extends Model {
  get selected(): Selected | null {
    return this._selected;
  }

  select(selected: Selected | null): void {
    this._selected = selected;
    this.notify();
  }

  private _selected: Selected | null = null;
}
