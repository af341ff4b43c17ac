/** A program as a page that is served to this machine only: bundled with what is installed here, in place of what it loads from elsewhere. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Plugin, build } from 'vite';
import { wgslPlugin } from '../wgsl-plugin.js';
import { changed } from './changes.js';
import type { Program } from './list.js';

/** A path beside this file. */
export const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const REPLACED: ReadonlyMap<string, string> = new Map([
  ...'@tensorflow/tfjs @tensorflow/tfjs-node @tensorflow/tfjs-node-gpu'
    .split(' ')
    .map((name) => [name, at('tfjs.ts')] as const),
  ['@tensorflow/tfjs-data', at('camera.ts')],
  ...'@tensorflow/tfjs-vis vega-embed jimp terminal-image extract-zip'
    .split(' ')
    .map((name) => [name, at('charts.ts')] as const),
  ...'argparse assert canvas fs https lodash mkdirp os papaparse path shelljs util zlib'
    .split(' ')
    .map((name) => [name, at('node.ts')] as const),
]);
/** What a bundle begins with. */
export const START = 'virtual:start';

const SCRIPT = '<script type="module" src="/start.js"></script></body>';

/** A page without anything on it, for programs that have none. */
export const EMPTY = `<!doctype html><html><head></head><body>${SCRIPT}</html>`;

/**
 * The page's text and its script.
 *
 * @param folder a clone of tfjs-examples.
 * @param isOurs whether the line is changed.
 * @throws Error if the program is not there, or not as it is known here.
 */
export async function bundleProgram(
  folder: string,
  program: Program,
  isOurs: boolean,
): Promise<{ html: string; script: string }> {
  const { name, start = 'index.js' } = program;
  const index = join(folder, name, start);
  if (!existsSync(index)) {
    throw new Error(`there is no ${index}; give a clone of https://github.com/tensorflow/tfjs-examples.`);
  }
  const script = await bundle(name, [programPlugin(join(folder, name), program, isOurs)]);
  const page = join(folder, name, 'index.html');
  // Programs for Node have a page, too, mostly: for what comes of them.
  if (start !== 'index.js') return { html: EMPTY, script };
  const html = readFileSync(page, 'utf8')
    .replaceAll(/<script\b[^]*?<\/script>|<link\b[^>]*>/g, '')
    .replace('</body>', SCRIPT);
  return { html, script };
}

/** One script of {@link START}, which plugins give, and all that it imports. */
export async function bundle(name: string, plugins: readonly Plugin[]): Promise<string> {
  const bundled = await build({
    configFile: false,
    logLevel: 'error',
    root: at('../..'),
    plugins: [wgslPlugin(), ...plugins],
    build: {
      write: false,
      target: 'es2022',
      minify: false,
      rolldownOptions: { input: START, output: { codeSplitting: false } },
    },
  });
  const [output] = [bundled].flat();
  if (!output || !('output' in output)) throw new Error(`${name}: vite gave no bundle.`);
  return output.output[0].code;
}

function programPlugin(folder: string, program: Program, isOurs: boolean): Plugin {
  const { start = 'index.js', file = start, lines, edits = {} } = program;
  return {
    name: 'webgpu-optim-programs',
    enforce: 'pre',
    resolveId(id, importer) {
      if (id === START) return START;
      // The stand-ins themselves import what is installed.
      return importer?.startsWith(folder) || importer === START ? REPLACED.get(id) : undefined;
    },
    load: (id) => (id === START ? startOf(join(folder, start), program) : null),
    transform(code, id) {
      const own = Object.keys({ ...edits, [file]: null }).find((name) => join(folder, name) === id);
      if (own === undefined) return null;
      const edited = changed(code, edits[own] ?? [], id);
      if (own !== file) return edited;
      const whole = changed(edited, lines, id);
      return isOurs ? importsOf(whole) + whole : edited;
    },
  };
}

/** As the file imports others. */
function importsOf(code: string): string {
  const isModule = /^(import|export)\s*[\w{*]/m.test(code);
  const [tfjs, index] = ['../../src/adapters/tfjs/index.ts', '../../src/index.ts'].map((path) =>
    JSON.stringify(at(path)),
  );
  return isModule
    ? `import { FusedOptimizer } from ${tfjs};\nimport { conventions, rules } from ${index};\n`
    : `const { FusedOptimizer } = require(${tfjs});\nconst { conventions, rules } = require(${index});\n`;
}

/** Random numbers are the same in each run: tfjs takes its seeds from Math.random, too. */
function startOf(index: string, { steps, clicks = [], inputs = {}, args = {} }: Program): string {
  return `
    import * as tf from '@tensorflow/tfjs';
    import { startClicks } from ${JSON.stringify(at('clicks.ts'))};
    import { createRandom } from ${JSON.stringify(at('../../lab/random.ts'))};
    Math.random = createRandom(1);
    // Where a program has a script of the network in place of an import.
    globalThis.tf = tf;
    await tf.setBackend('webgpu');
    // What programs for Node write to a terminal.
    globalThis.process = { stdout: { write() {} } };
    globalThis.programArgs = ${JSON.stringify(args)};
    const record = tf.recordSteps(${steps});
    for (const [id, value] of Object.entries(${JSON.stringify(inputs)})) document.getElementById(id).value = value;
    await import(${JSON.stringify(index)});
    // What waits for the page has come too late for it.
    document.dispatchEvent(new Event('DOMContentLoaded'));
    await startClicks(${JSON.stringify(clicks)});
    globalThis.programRecord = await record;
  `;
}
