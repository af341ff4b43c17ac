import { parseSync } from 'vite';
import { describe, expect, test } from 'vitest';
import { describe as describeValue } from '../../demo/playground/describe.js';
import { makeProgram } from '../../demo/playground/program.js';
import { recipesOf } from '../../demo/playground/recipes.js';

const modules = { library: 'http://a/library.js', runtime: 'http://a/runtime.js' };
const HEAD = 'import { show as $show } from "http://a/runtime.js";';
const programOf = (code: string): string => makeProgram(code, modules).replace(HEAD, '');

const guides = import.meta.glob<string>('../../docs/guides/*.md', {
  query: '?raw',
  import: 'default',
  eager: true,
});

test('guides that need nothing but a device are recipes, and whole programs', () => {
  const recipes = recipesOf(guides);
  expect(recipes.map(({ name }) => name)).toEqual(
    expect.arrayContaining([
      'averages',
      'checkpoints',
      'clipping',
      'first-run',
      'groups',
      'own-rules',
      'sparse',
    ]),
  );
  expect(recipes.map(({ name }) => name)).not.toContain('tfjs');
  for (const { name, title, code } of recipes) {
    expect(title, name).not.toBe('');
    const program = makeProgram(code, modules);
    expect(parseSync('program.js', program).errors, `${name}:\n${program}`).toEqual([]);
    expect(program.split('\n').length, name).toBe(code.split('\n').length);
  }
});

test('the blocks of a guide become one program, whose imports come first', () => {
  const block = (code: string): string => `text\n\n\`\`\`js\n${code}\n\`\`\`\n`;
  const markdown = `# Title\n\n${block("import { b, a } from 'webgpu-optim';\n\na(device);")}${block("import { c, a } from 'webgpu-optim';\nc();")}`;
  expect(recipesOf({ 'x/y/name.md': markdown })).toEqual([
    {
      name: 'name',
      title: 'Title',
      code: `import { a, b, c } from 'webgpu-optim';

const adapter = await navigator.gpu.requestAdapter();
const device = await adapter.requestDevice();

a(device);

c();
`,
    },
  ]);
});

describe('a program', () => {
  test.each([
    ["import { adam } from 'webgpu-optim';", 'import { adam } from "http://a/library.js";'],
    ['f(x); // 0.5', '$show(1, [f(x)]); // 0.5'],
    ["\nawait f(x); // 'text'", "\n$show(2, [await f(x)]); // 'text'"],
    [
      'const { a, b: [c] } = f((d) => d); // 1, 2',
      'const { a, b: [c] } = f((d) => d); $show(1, [a, c], ["a","c"]); // 1, 2',
    ],
    ['f(x); // encodes a step', 'f(x); // encodes a step'],
    ['console.log(x); // 1', 'console.log(x); // 1'],
    ['f(x);\n// 1 is no value of it', 'f(x);\n// 1 is no value of it'],
  ])('%j is run as %j', (code, program) => {
    expect(programOf(code)).toBe(program);
  });

  test.each([
    ['const a = 1;\nconst = 2;', 2, 'no JavaScript'],
    ["\n\nimport x from 'elsewhere';", 3, "import from 'webgpu-optim'"],
  ])('%j is refused, with its line', (code, line, message) => {
    const run = (): string => makeProgram(code, modules);
    expect(run).toThrow(message);
    expect(run).toThrow(expect.objectContaining({ line }));
  });
});

test.each([
  ['text', 'text'],
  [0.1 + 0.2, '0.3'],
  [Float32Array.of(0.1, 2), '[0.1, 2]'],
  [Array.from({ length: 20 }, (_, k) => k), '[0, 1, 2, 3, 4, 5, 6, 7, … 20 in all]'],
  [{ a: 'b', c: [1, { d: { e: 1 } }] }, '{ a: "b", c: [1, …] }'],
  [new Error('bad'), 'Error: bad'],
  [undefined, 'undefined'],
  [new Map(), 'Map'],
])('%j is shown as %s', (value, text) => {
  expect(describeValue(value)).toBe(text);
});
