import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'vite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stripTemplates, stripWgsl } from '../../scripts/wgsl-plugin.js';
import { allRuleFactories } from '../support/all-rules.js';

const shaders = Object.values(
  import.meta.glob<string>('../../shaders/**/*.wgsl', { query: '?raw', import: 'default', eager: true }),
);

/** A build takes a second or two; on a machine that does much else, longer than hooks may. */
const BUILD_MS = 120_000;

let folder: string;

/** The package as it is published, but for its types. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'webgpu-optim-bundle-'));
  await build({
    configFile: 'vite.config.ts',
    logLevel: 'error',
    build: { outDir: join(folder, 'dist'), emptyOutDir: true, sourcemap: false },
  });
  await writeFile(join(folder, 'package.json'), '{ "type": "module", "sideEffects": false }');
}, BUILD_MS);

afterAll(() => rm(folder, { recursive: true }));

/** What a user's bundler makes of an import: the minified text. */
async function bundle(names: readonly string[], from = 'index.js'): Promise<string> {
  const entry = join(folder, `${names.join('-')}.js`);
  await writeFile(entry, `export { ${names.join(', ')} } from './dist/${from}';`);
  const result = await build({
    configFile: false,
    root: folder,
    logLevel: 'error',
    build: {
      write: false,
      minify: true,
      target: 'es2022',
      modulePreload: false,
      rolldownOptions: { input: entry, preserveEntrySignatures: 'strict' },
    },
  });
  const outputs = [result].flat().flatMap((one) => ('output' in one ? one.output : []));
  const chunks = new Map(
    outputs.flatMap((one) => (one.type === 'chunk' ? [[one.fileName, one] as const] : [])),
  );
  // What is loaded at once; the rest comes when a call asks for it.
  const loaded = new Set([...chunks.values()].filter(({ isEntry }) => isEntry));
  for (const { imports } of loaded) for (const name of imports) loaded.add(chunks.get(name)!);
  return Array.from(loaded, ({ code }) => code).join('\n');
}

const byteLength = (text: string): number => gzipSync(text, { level: 9 }).length;

describe.for([
  // In bytes, gzipped.
  { names: ['adam'], limit: 4000 },
  { names: ['Optimizer', 'adam'], limit: 88_060 },
])('$names', ({ names, limit }) => {
  let text: string;
  beforeAll(async () => {
    text = await bundle(names);
  }, BUILD_MS);

  test('is no larger than it must be', () => {
    expect(byteLength(text)).toBeLessThanOrEqual(limit);
  });

  test('has nothing of other rules, of conventions, schedules or the reference', () => {
    const others = allRuleFactories.map(([name]) => name).filter((name) => name !== 'adam');
    for (const name of [...others, 'initialAccumulator', 'optax', 'f64', 'reduceOnPlateau']) {
      expect(new RegExp(`\\b${name}\\b`).test(text), name).toBe(false);
    }
    // What measures whole tensors comes with the rules that need it.
    expect(text).not.toContain('summarize_tensors');
    // So does what makes matrices orthogonal.
    expect(text).not.toContain('normalize_matrices');
    // But it has what it is about.
    for (const name of ['adam', 'exp_avg_sq', 'take_moments']) expect(text.includes(name), name).toBe(true);
  });

  test('has no comments of shaders', () => {
    const comments = shaders.flatMap((wgsl) => wgsl.match(/\/\/.{20,}/g) ?? []);
    expect(comments.length).toBeGreaterThan(100);
    expect(comments.filter((comment) => text.includes(comment))).toEqual([]);
  });
});

test('safetensors is a few kilobytes by itself, and no part of the core', async () => {
  const text = await bundle(['readSafetensors', 'writeSafetensors'], 'safetensors/index.js');
  expect(byteLength(text)).toBeLessThanOrEqual(7000);
  for (const name of ['data_offsets', 'F8_E8M0']) expect(text).toContain(name);
  for (const name of ['GPUBuffer', 'createBuffer', 'dispatchWorkgroups', 'exp_avg'])
    expect(text).not.toContain(name);
  const core = await bundle(['Optimizer', 'adam']);
  for (const name of ['data_offsets', 'F8_E8M0', 'invalid-safetensors']) expect(core).not.toContain(name);
});

test('stripping takes nothing from a shader but what only people read', () => {
  const words = (wgsl: string) => wgsl.replaceAll(/\/\/.*/g, '').match(/\w+|[^\s\w]/g);
  expect(shaders.length).toBeGreaterThan(40);
  for (const wgsl of shaders) {
    const stripped = stripWgsl(wgsl);
    expect(stripped).not.toMatch(/\/\/|\n\n|^\s| $/m);
    expect(words(stripped)).toEqual(words(wgsl));
    expect(stripped.length).toBeLessThan(wgsl.length);
  }
  expect(
    stripWgsl('  let a = b - -c + 1u; // d\n\n/* e\n f */ if (a > = 1 && !b) {\nvar<private> x : lane = y;'),
  ).toBe('let a=b- -c+1u;\nif(a> =1&& !b){\nvar<private>x:lane=y;');
});

test('of a module, templates of several lines are stripped and nothing moves to another line', () => {
  const before = `
const text = \`keeps  its ( blanks )\`; // and its comments
const wgsl = \`// title: \${a - b}
/// says what it does
fn f( a : u32 ) -> u32 {
  let \${ k } = \${\`( c )
    d\`} + e; // and why
}
\`;
`;
  expect(stripTemplates('/a/b.ts', before)).toBe(`
const text = \`keeps  its ( blanks )\`; // and its comments
const wgsl = \`//title: \${a - b}

fn f(a:u32)->u32{
let \${ k } = \${\`(c)
d\`} +e;
}
\`;
`);
});
