/** An example of jax-js as a page: bundled with the jax-js that is installed here, and the optax of the clone. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Plugin } from 'vite';
import { changed } from './changes.js';
import type { JaxProgram } from './jax-list.js';
import { START, at, bundle } from './program-page.js';

const OPTAX = 'virtual:optax';
const OURS = 'virtual:ours';
const PROGRAM = 'virtual:program';
const MNIST = 'virtual:mnist';

/**
 * The example's script.
 *
 * @param folder a clone of jax-js.
 * @param isOurs whether the line is changed.
 * @throws Error if the example is not there, or not as it is known here.
 */
export async function bundleJaxProgram(
  folder: string,
  program: JaxProgram,
  isOurs: boolean,
): Promise<string> {
  return bundle(program.name, [jaxPlugin(folder, program, isOurs)]);
}

function jaxPlugin(folder: string, program: JaxProgram, isOurs: boolean): Plugin {
  const optax = join(folder, 'packages/optax/src/index.ts');
  const standIn = at('svelte.ts');
  const REPLACED: ReadonlyMap<string, string> = new Map([
    ['@jax-js/jax', at('../../node_modules/@jax-js/jax/dist/index.js')],
    ['@jax-js/optax', OPTAX],
    ['webgpu-optim/jax', OURS],
    ['webgpu-optim', at('../../src/index.ts')],
    ...['@jax-js/loaders', 'es-toolkit', 'p-throttle', 'svelte', '$lib/chart/LineChart.svelte'].map(
      (name) => [name, standIn] as const,
    ),
    ['$lib/dataset/mnist', MNIST],
  ]);
  const recordedFrom = (file: string): string => `
    export * from ${JSON.stringify(file)};
    import { applyUpdates as apply } from ${JSON.stringify(file)};
    import { recorded } from ${JSON.stringify(at('jax-record.ts'))};
    export const applyUpdates = recorded(apply);`;
  const sources: Readonly<Record<string, () => string>> = {
    [START]: startSource,
    [OPTAX]: () => recordedFrom(optax),
    [OURS]: () => recordedFrom(at('../../src/adapters/jax/index.ts')),
    // Not from where it is: its settings for TypeScript are made by a build of the clone.
    [MNIST]: () => readFileSync(join(folder, 'website/src/lib/dataset/mnist.ts'), 'utf8'),
    [PROGRAM]: () => sourceOf(folder, program, isOurs),
  };
  return {
    name: 'webgpu-optim-jax-programs',
    enforce: 'pre',
    resolveId: (id) => (id in sources ? id : REPLACED.get(id)),
    load: (id) => (id in sources ? { code: sources[id]!(), moduleType: 'ts' } : null),
  };
}

function sourceOf(folder: string, { file, lines, edits = [], run }: JaxProgram, isOurs: boolean): string {
  const text = readFileSync(join(folder, file), 'utf8');
  const script = /<script lang="ts">([^]*?)<\/script>/.exec(text)?.[1];
  const code = changed(script ?? text, edits, file);
  const whole = changed(code, lines, file);
  const own = isOurs ? whole : code;
  if (run === undefined) return own;
  return `import { runes } from ${JSON.stringify(at('svelte.ts'))};\nconst { $state, $effect } = runes;\n${own}\n${run}`;
}

const startSource = (): string => `
  import { defaultDevice, init } from '@jax-js/jax';
  import { createRandom } from ${JSON.stringify(at('../../lab/random.ts'))};
  import { recordSteps } from ${JSON.stringify(at('jax-record.ts'))};
  Math.random = createRandom(1);
  await init('webgpu');
  defaultDevice('webgpu');
  const end = recordSteps();
  await import('${PROGRAM}');
  globalThis.programRecord = end();
`;
