import { parse } from 'yaml';

import { cellSpec, newSpec, pipelineName, specText } from '../spec/texts';
import { mount } from './records';

const CELL = { code: 'print(1)\n', notebook: 'work/My Notebook.ipynb', python: '/venv/bin/python' };

describe('cellSpec', () => {
  it('runs exactly the cell, with the interpreter of its kernel', () => {
    const code = '  # "quotes": \'and\' {more}\nif True:\n\tprint("é\\n")   \n\n%%\n';
    const spec = parse(cellSpec({ ...CELL, code }, [], 'images')) as unknown;
    expect(spec).toEqual({
      pipeline: { name: 'my-notebook' },
      input: { pfs: { repo: 'images', branch: 'master', glob: '/' } },
      transform: { cmd: ['/venv/bin/python', '-'], stdin: [`${code.trimEnd()}\n`] }
    });
  });

  it('shows the code in lines, as it is in the cell', () => {
    const text = cellSpec({ ...CELL, code: 'import os\nprint(os.environ)' }, [], 'images');
    expect(text).toMatch(/^ +import os\n +print\(os\.environ\)$/m);
  });

  it('reads in /pfs what the cell reads of a mount', () => {
    const code = 'open("/home/dvmount/pets/a.png")\nopen("/home/dvmount/pets-old/b.png")\n';
    const pets = mount('pets', { repo: 'vision/animals', branch: 'small' });
    const spec = parse(cellSpec({ ...CELL, code }, [pets], 'images')) as Record<string, unknown>;
    expect(spec.input).toEqual({ pfs: { repo: 'vision/animals', branch: 'small', glob: '/' } });
    expect(spec.transform).toMatchObject({
      stdin: ['open("/pfs/animals/a.png")\nopen("/home/dvmount/pets-old/b.png")\n']
    });
  });

  it('reads several mounts', () => {
    const code = '"/home/dvmount/a" "/home/dvmount/b" "/home/dvmount/a"';
    const mounts = [
      mount('a', { repo: 'a' }),
      mount('b', { repo: 'b' }),
      mount('c', { repo: 'c' })
    ];
    const spec = parse(cellSpec({ ...CELL, code }, mounts, null)) as Record<string, unknown>;
    expect(spec.input).toMatchObject({ cross: [{ pfs: { repo: 'a' } }, { pfs: { repo: 'b' } }] });
  });
});

describe('other specs', () => {
  it('begin with one that is complete', () => {
    expect(parse(newSpec('photos'))).toMatchObject({
      pipeline: { name: 'my-pipeline' },
      input: { pfs: { repo: 'photos', glob: '/*' } },
      transform: { cmd: ['sh', '-c', expect.any(String)] }
    });
  });

  it('are shown as they are, with strings that look like something else', () => {
    const spec = { pipeline: { name: '1e3' }, transform: { stdin: ['yes', '# x', ' a', '012'] } };
    expect(parse(specText(spec))).toEqual(spec);
  });
});

describe('pipelineName', () => {
  it.each([
    ['a/b/Train Model (2).ipynb', 'train-model-2'],
    ['ünïcode.ipynb', 'n-code'],
    ['…….ipynb', 'my-pipeline']
  ])('of %s', (notebook, name) => {
    expect(pipelineName(notebook)).toBe(name);
  });
});
