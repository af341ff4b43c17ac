/** A program as a page that is served to this machine only: bundled with what is installed here, in place of what it loads from elsewhere. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Plugin, build } from 'vite';
import { wgslPlugin } from '../wgsl-plugin.js';
import type { Program } from './list.js';

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const REPLACED: Readonly<Record<string, string>> = {
  '@tensorflow/tfjs': at('tfjs.ts'),
  '@tensorflow/tfjs-vis': at('charts.ts'),
  'vega-embed': at('charts.ts'),
};
const START = 'virtual:start';

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
  const index = join(folder, program.name, 'index.js');
  if (!existsSync(index)) {
    throw new Error(`there is no ${index}; give a clone of https://github.com/tensorflow/tfjs-examples.`);
  }
  const bundled = await build({
    configFile: false,
    logLevel: 'error',
    root: at('../..'),
    plugins: [wgslPlugin(), programPlugin(index, program, isOurs)],
    build: {
      write: false,
      target: 'es2022',
      minify: false,
      rolldownOptions: { input: START, output: { codeSplitting: false } },
    },
  });
  const [output] = [bundled].flat();
  if (!output || !('output' in output)) throw new Error(`${program.name}: vite gave no bundle.`);
  const html = readFileSync(join(folder, program.name, 'index.html'), 'utf8')
    .replaceAll(/<script\b[^]*?<\/script>|<link\b[^>]*>/g, '')
    .replace('</body>', '<script type="module" src="/start.js"></script></body>');
  return { html, script: output.output[0].code };
}

function programPlugin(index: string, program: Program, isOurs: boolean): Plugin {
  return {
    name: 'webgpu-optim-programs',
    enforce: 'pre',
    resolveId: (id) => (id === START ? START : REPLACED[id]),
    load: (id) => (id === START ? startOf(index, program) : null),
    transform(code, id) {
      if (id !== index) return null;
      if (code.split(program.theirs).length !== 2) {
        throw new Error(
          `${index} has ${JSON.stringify(program.theirs)} not just once: it is another version.`,
        );
      }
      if (!isOurs) return null;
      return (
        `import { FusedOptimizer } from ${JSON.stringify(at('../../src/adapters/tfjs/index.ts'))};\n` +
        `import { conventions, rules } from ${JSON.stringify(at('../../src/index.ts'))};\n` +
        code.replace(program.theirs, () => program.ours)
      );
    },
  };
}

/** Random numbers are the same in each run: tfjs takes its seeds from Math.random, too. */
function startOf(index: string, { steps, click, inputs = {} }: Program): string {
  return `
    import * as tf from '@tensorflow/tfjs';
    import { createRandom } from ${JSON.stringify(at('../../lab/random.ts'))};
    Math.random = createRandom(1);
    // Where a program has a script of the network in place of an import.
    globalThis.tf = tf;
    await tf.setBackend('webgpu');
    const record = tf.recordSteps(${steps});
    for (const [id, value] of Object.entries(${JSON.stringify(inputs)})) document.getElementById(id).value = value;
    await import(${JSON.stringify(index)});
    const button = ${JSON.stringify(click ?? null)};
    if (button !== null) document.getElementById(button).click();
    globalThis.programRecord = await record;
  `;
}
