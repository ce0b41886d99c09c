import { locate } from '../spec/locate';

const YAML = `pipeline:
  name: edges
input:
  cross:
    - pfs: {repo: images, glob: "/*"}
    - pfs:
        repo: masks
        globb: /*
transform:
  datumBatching: true
`;

describe('locate', () => {
  it.each([
    ['a line that is named', 'not YAML: line 3, column 1: unexpected', 2],
    ['an unknown field', 'unknown field input.cross[1].pfs.globb', 7],
    ['the place of a missing field', 'transform.cmd is missing', 8],
    ['a field in the other spelling', 'transform.datum_batching has no effect', 9],
    ['the deepest of several', 'pipeline and input.cross[0].pfs do not fit', 4],
    ['nothing', 'that cannot be', null]
  ])('finds %s', (_, message, line) => {
    expect(locate(YAML, message)).toBe(line);
  });

  it('finds fields in JSON with comments', () => {
    const text = '// edges\n{\n  "pipeline": {"name": "edges"},\n  "inputt": {}, // wrong\n}\n';
    expect(locate(text, 'unknown field inputt')).toBe(3);
  });

  it.each([
    ['documents', 'pipeline: {name: a}\n---\npipeline: {name: b}\ninputt: {}\n', 3],
    ['a list', '- pipeline: {name: a}\n- pipeline: {name: b}\n  inputt: {}\n', 2]
  ])('finds fields in %s', (_, text, line) => {
    expect(locate(text, 'document 2: unknown field inputt')).toBe(line);
  });

  it.each(['', '{', '\t- }{'])('survives %j, which is no spec', text => {
    expect(locate(text, 'pipeline is missing')).toBe(null);
  });
});
