import { identifier, literal, snippet, variantFor } from '../snippets';

describe('snippet', () => {
  it('lists a mounted directory', () => {
    expect(snippet('list', '/home/me/dvmount/images', 'images')).toBe(
      'from pathlib import Path\n\nimages = Path("/home/me/dvmount/images")\nsorted(images.iterdir())[:20]'
    );
  });

  it.each([
    ['/d/iris.csv', 'iris = pd.read_csv("/d/iris.csv")'],
    ['/d/iris.csv.gz', 'pd.read_csv("/d/iris.csv.gz")'],
    ['/d/iris.TSV', 'pd.read_csv("/d/iris.TSV", sep="\\t")'],
    ['/d/iris.parquet', 'pd.read_parquet("/d/iris.parquet")'],
    ['/d/log.jsonl', 'pd.read_json("/d/log.jsonl", lines=True)']
  ])('reads %s with the right reader', (path, code) => {
    expect(variantFor(path)).toBe('table');
    expect(snippet('table', path)).toContain(code);
  });

  it('shows images and reads the rest as bytes', () => {
    expect(variantFor('a.PNG')).toBe('image');
    expect(variantFor('README')).toBe('text');
    expect(snippet('image', '/d/a.png')).toContain('Image(filename="/d/a.png")');
  });
});

describe('literal', () => {
  it.each(['a"b', 'a\\b', "a'b", 'line\nfeed', '\u2028', '\u0085', 'ü–😀', '"""', '${x}{y}'])(
    'keeps %j one string that cannot end early',
    text => {
      const quoted = literal(text);
      expect(quoted).not.toMatch(/[\n\r\u0085\u2028\u2029]/);
      expect(quoted.slice(1, -1)).not.toMatch(/(^|[^\\])(\\\\)*"/);
      expect(JSON.parse(quoted)).toBe(text);
    }
  );
});

describe('identifier', () => {
  it.each([
    ['images', 'images'],
    ['my-images.v2', 'my_images'],
    ['2024', '_2024'],
    ['class', 'class_'],
    ['pd.csv', 'pd_'],
    ['...', 'data'],
    ['größe', 'gr_e']
  ])('makes %s a variable %s', (name, variable) => {
    expect(identifier(name)).toBe(variable);
  });
});
