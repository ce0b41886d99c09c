/** Kinds of code that can be inserted for a mounted file or directory. */
export type Variant = 'list' | 'table' | 'image' | 'text' | 'path';

/** Readers of pandas by the ending of a file name. */
const TABLES: readonly [RegExp, string, string][] = [
  [/\.csv(\.gz|\.bz2|\.xz|\.zst)?$/i, 'read_csv', ''],
  [/\.tsv(\.gz|\.bz2|\.xz|\.zst)?$/i, 'read_csv', ', sep="\\t"'],
  [/\.(parquet|pq)$/i, 'read_parquet', ''],
  [/\.(jsonl|ndjson)$/i, 'read_json', ', lines=True'],
  [/\.xlsx?$/i, 'read_excel', ''],
  [/\.feather$/i, 'read_feather', '']
];
const IMAGE = /\.(png|jpe?g|gif|webp|svg)$/i;
const RESERVED = new Set(
  (
    'and as assert async await break class continue def del elif else except finally for from ' +
    'global if import in is lambda nonlocal not or pass raise return try while with yield ' +
    'None True False pd Path'
  ).split(' ')
);

/** The variant that suits a file best, by the ending of its name. */
export function variantFor(file: string): Variant {
  if (TABLES.some(([pattern]) => pattern.test(file))) {
    return 'table';
  }
  return IMAGE.test(file) ? 'image' : 'text';
}

/** Any string as a Python string literal. */
export function literal(text: string): string {
  return JSON.stringify(text).replace(/[\u007f-\u009f\u2028\u2029]/g, char => {
    return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

/** A Python variable named after a mount or a file. */
export function identifier(name: string): string {
  const plain = name.replace(/\.[^.]*$/, '').replace(/[^A-Za-z0-9_]+/g, '_');
  const legal = plain.replace(/^_+|_+$/g, '').replace(/^(?=[0-9])/, '_') || 'data';
  return RESERVED.has(legal) ? `${legal}_` : legal;
}

/**
 * Python code for a mounted path.
 *
 * @param variant - What the code does with it.
 * @param path - Absolute local path of the file or directory.
 * @param name - What the variable is named after; the path's last component by default.
 */
export function snippet(variant: Variant, path: string, name?: string): string {
  const variable = identifier(name ?? path.slice(path.lastIndexOf('/') + 1));
  const quoted = literal(path);
  switch (variant) {
    case 'list':
      return `from pathlib import Path\n\n${variable} = Path(${quoted})\nsorted(${variable}.iterdir())[:20]`;
    case 'table': {
      const [, reader, options] = TABLES.find(([pattern]) => pattern.test(path)) ?? TABLES[0];
      return `import pandas as pd\n\n${variable} = pd.${reader}(${quoted}${options})\n${variable}.head()`;
    }
    case 'image':
      return /\.svg$/i.test(path)
        ? `from IPython.display import SVG\n\nSVG(filename=${quoted})`
        : `from IPython.display import Image\n\nImage(filename=${quoted})`;
    case 'text':
      return `with open(${quoted}, "rb") as file:\n    ${variable} = file.read(1000)\n${variable}`;
    case 'path':
      return quoted;
  }
}
