import { isMap, isNode, isSeq, LineCounter, parseAllDocuments, type Node } from 'yaml';

const LINE = /\bline (\d+)\b/;
const DOCUMENT = /\bdocument (\d+)\b/;
const JSON_START = /^\s*(?:[{[]|\/[/*])/;
const STRING_OR_COMMENT = /"(?:\\.|[^"\\])*"|\/\/[^\n]*|\/\*[\s\S]*?\*\//g;
const PATH = /[A-Za-z_$][\w$]*(?:\[\d+\]|\.[A-Za-z_$][\w$]*)*/g;

/**
 * The line of a spec that a message of the server is about.
 *
 * Messages name a line (`not YAML: line 3, column 1: …`) or the path of a field (`unknown field
 * input.pfs.globb`); of a field that is missing, the place where it should be is meant. JSON is
 * read as YAML, which it nearly is.
 *
 * @returns The number of the line from 0, or null where the message names no place.
 */
export function locate(text: string, message: string): number | null {
  const line = LINE.exec(message);
  if (line) {
    return Number(line[1]) - 1;
  }
  const lines = new LineCounter();
  const specs = parseAllDocuments(withoutComments(text), {
    lineCounter: lines,
    uniqueKeys: false
  }).flatMap(({ contents }) => (isSeq(contents) ? contents.items : [contents]));
  const spec = specs[Number(DOCUMENT.exec(message)?.[1] ?? 1) - 1];
  if (!isNode(spec)) {
    return null;
  }
  let best: { depth: number; offset: number } | null = null;
  for (const [path] of message.matchAll(PATH)) {
    const found = follow(spec, path.split(/[.[\]]+/).filter(Boolean));
    if (found && found.depth > (best?.depth ?? 0)) {
      best = found;
    }
  }
  return best && lines.linePos(best.offset).line - 1;
}

/** JSON whose comments are blank, with everything at its place; other texts as they are. */
function withoutComments(text: string): string {
  return JSON_START.test(text)
    ? text.replace(STRING_OR_COMMENT, found =>
        found.startsWith('"') ? found : found.replace(/[^\n]/g, ' ')
      )
    : text;
}

/** Go along a path as far as it exists; where that ends, and how deep it is. */
function follow(spec: Node, path: string[]): { depth: number; offset: number } | null {
  let node: unknown = spec;
  let found: { depth: number; offset: number } | null = null;
  for (const [index, step] of path.entries()) {
    let key: unknown;
    if (isMap(node)) {
      const pair = node.items.find(item => isNode(item.key) && snake(String(item.key)) === step);
      key = pair?.key;
      node = pair?.value;
    } else if (isSeq(node)) {
      key = node = node.items[Number(step)];
    } else {
      key = undefined;
    }
    if (!isNode(key) || !key.range) {
      return found;
    }
    found = { depth: index + 1, offset: key.range[0] };
  }
  return found;
}

/** A field as the server's messages spell it. */
function snake(name: string): string {
  return name.replace(/[A-Z]/g, capital => `_${capital.toLowerCase()}`);
}
