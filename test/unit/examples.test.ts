/** How pages become programs, and that nothing of them is left out. */
import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { programIn } from '../../lab/page-blocks.js';
import { programOf } from '../support/example-pages.js';
import { allPages } from '../support/pages.js';

const AsyncFunction = (async () => undefined).constructor as new (...args: string[]) => Function;

const block = (code: string, info = 'js'): string => `\`\`\`${info}\n${code}\n\`\`\`\n`;

/** Runs a page that imports nothing. */
async function run(page: string): Promise<{ made: unknown; checks: unknown[] }> {
  const checks: unknown[] = [];
  const body = programOf(page, 'page.md').replace('export default', 'return');
  const program = (await new AsyncFunction(body)()) as (...args: unknown[]) => Promise<unknown>;
  const made = await program(
    { device: 'a device', given: 7 },
    (...args: unknown[]) => void checks.push(args),
    (value: number, tolerance: number) => [value, tolerance],
  );
  return { made, checks };
}

test('a page is one program: later blocks see, and may declare anew, what earlier ones declared', async () => {
  const page = `<!-- given: given -->\n${block('const a = 1;\nconst b = a + given;')}Text.\n${block('const a = b;')}`;
  expect((await run(page)).made).toEqual({ a: 8, b: 8 });
});

test('what a comment promises is checked, with its place', async () => {
  const page = block(
    [
      'const a = 0.5; // 0.5',
      'const { b, c } = { b: 2, c: [-3] }; // 2, [-3]',
      'a + 1; // about 1.50',
      "console.log('x'); // 'x'",
      'let d; // a name, no value',
      'd = a; // 20000 bytes',
    ].join('\n'),
  );
  const { checks } = await run(page);
  expect(checks).toEqual([
    ['page.md:2', [0.5], [[0.5, 0.5e-6]]],
    ['page.md:3', [2, [-3]], [[2, 2e-6], [[-3, 3e-6]]]],
    ['page.md:4', [1.5], [[1.5, 0.005]]],
    ['page.md:5', ['x'], ['x']],
    ['page.md:7', [0.5], [[20000, 0.02]]],
  ]);
});

test('a value that is promised behind no whole statement is an error, and so is code that is none', () => {
  expect(() => programOf(block('f({\n  a, // 3\n});'), 'page.md')).toThrow('page.md:3: the value "3"');
  expect(() => programOf(block('const = 3;'), 'page.md')).toThrow('page.md:1');
});

const pages = allPages();

test.each(pages)('%s: every block of code is one that some test runs', (name, text) => {
  const kinds = [...text.matchAll(/^```([^\n]*)\n.*?^```$/gms)].map(([, info]) => info);
  // Python runs in record.py, files are started by their page's program or, of use-dawn.js, by `npm run runtimes`.
  const files = programIn(text).files.map((file) => file.name);
  for (const file of files) {
    expect(file === 'use-dawn.js' || text.includes(`new URL('./${file}'`), `${name}: ${file}`).toBe(true);
  }
  const known = [
    'js',
    'ts',
    'text',
    'sh',
    'html',
    'python',
    'bibtex',
    ...files.map((file) => `js [${file}]`),
  ];
  expect(
    kinds.filter((info) => !known.includes(info!)),
    name,
  ).toEqual([]);
});

test.each(pages)('%s: links lead to pages and headings that are there', (name, text) => {
  const folder = name.slice(0, name.lastIndexOf('/') + 1);
  const known = new Map(pages);
  for (const [, target] of text.matchAll(/\]\((?!https?:)([^)\s]*)\)/g)) {
    const [path, anchor] = target!.split('#');
    const file = path === '' ? name : new URL(path!, `file:///${folder}`).pathname.slice(1);
    expect(existsSync(file), `${name} links to ${target}`).toBe(true);
    const linked = known.get(file);
    if (anchor === undefined || linked === undefined) continue;
    const anchors = [...linked.matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
      heading!
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    );
    expect(anchors, `${name} links to ${target}`).toContain(anchor);
  }
});

test('an import by the address of a CDN is one by the name', () => {
  const at = (file: string) =>
    programOf(block(`import { a } from 'https://cdn.jsdelivr.net/npm/webgpu-optim@0.2/dist/${file}';`), 'p');
  expect(at('index.js')).toContain("from 'webgpu-optim';");
  expect(at('adapters/jax/index.js')).toContain("from 'webgpu-optim/jax';");
  expect(at('none.js')).toContain('cdn.jsdelivr.net');
});
