import * as jax from '@jax-js/jax';
import { expect, inject, test, vi } from 'vitest';
import readme from '../../README.md?raw';
import checkpointsPage from '../../docs/checkpoints.md?raw';
import memoryPage from '../../docs/memory.md?raw';
import safetensorsPage from '../../docs/safetensors.md?raw';
import * as jaxAdapter from '../../src/adapters/jax/index.js';
import * as tfjsAdapter from '../../src/adapters/tfjs/index.js';
import * as safetensors from '../../src/safetensors/index.js';
import * as library from '../../src/index.js';
import type { Optimizer, ParameterArena, RuleFactory } from '../../src/index.js';
import { paritySuite } from '../../proof/parity-suite.js';
import { readBuffer } from '../../proof/read-buffer.js';
import type { Track } from '../../proof/track.js';
import { gpuTest } from '../support/device.js';
import { makeBuffer, makeParameter } from '../support/tensors.js';

/** What the examples import. */
const modules: Record<string, Record<string, unknown>> = {
  'webgpu-optim': library,
  'webgpu-optim/jax': jaxAdapter,
  'webgpu-optim/safetensors': safetensors,
  'webgpu-optim/tfjs': tfjsAdapter,
  '@jax-js/jax': jax,
};
const AsyncFunction = (async () => undefined).constructor as new (...args: string[]) => Function;
const [
  example,
  arenaExample,
  lifeExample,
  structsExample,
  sparseExample,
  ownRuleExample,
  tfjsExample,
  jaxExample,
  checkpointExample,
  safetensorsExample,
] = [
  'Example',
  'Arena',
  'Parameters that come, go and grow',
  'Rows of structs',
  'Sparse gradients',
  'Your own rule',
  'TensorFlow.js',
  'jax-js',
  'Checkpoints',
  'Safetensors',
].map((heading) => exampleOf(heading));

/** The first code of a section. */
function exampleOf(heading: string, page = readme): string {
  return page.split(`\n## ${heading}\n`)[1]!.split('```js\n')[1]!.split('```')[0]!;
}

/** The example as a function of what it imports and of `given`, returning `result`. */
async function run(code: string, result: string, given: Record<string, unknown> = {}): Promise<unknown> {
  const imports = [...code.matchAll(/^import \{ (.*) \} from '(.*)';\n/gm)];
  const imported = imports.flatMap(([, names, from]) =>
    names!.split(', ').map((name) => [name, modules[from!]![name]] as const),
  );
  const scope = { ...Object.fromEntries(imported), ...given };
  const body = code.replaceAll(/^import .*\n/gm, '');
  const made = new AsyncFunction(...Object.keys(scope), `${body}; return ${result};`);
  return await made(...Object.values(scope));
}

gpuTest("the README's example runs, and gives the number that it says", async () => {
  const [, promised] = /\/\/ (-?[\d.]+)\n$/.exec(example!)!;
  const [, ...body] = example!.trim().split('\n');
  expect(body.filter((line) => line !== '').length).toBeLessThanOrEqual(15);
  const result = await run(example!, '(device.destroy(), first)');
  expect(result).toBeCloseTo(Number(promised), 6);
});

gpuTest("the README's arena is stepped in as many dispatches as it has groups", async ({ device, track }) => {
  const made = await run(arenaExample!, '[arena, optimizer]', { device });
  const [arena, optimizer] = made as [ParameterArena, Optimizer];
  track(arena);
  track(optimizer);
  const dispatch = vi.spyOn(GPUComputePassEncoder.prototype, 'dispatchWorkgroups');
  optimizer.step();
  expect(dispatch).toHaveBeenCalledTimes(2);
  dispatch.mockRestore();
  expect((await arena.read('w1')).every((value) => value !== 0)).toBe(true);
});

gpuTest("the README's parameters rest, grow and move", async ({ device, track }) => {
  const optimizer = track((await run(lifeExample!, 'optimizer', { device })) as Optimizer);
  expect(optimizer.groups.map(({ params, lr }) => [params, lr])).toEqual([
    [['means'], 1e-3],
    [['head'], 1e-4],
  ]);
  expect(await optimizer.readParam('means')).toHaveLength(3 * 1001);
  expect(await optimizer.readState('means', 'step')).toEqual(Float32Array.of(2));
  expect(await optimizer.readState('head', 'step')).toEqual(Float32Array.of(1));
});

gpuTest("the README's columns of structs are stepped where they lie", async ({ device, track }) => {
  const made = await run(structsExample!, '[splats, grads, visible, optimizer]', { device });
  const [splats, grads, visible, optimizer] = made as [GPUBuffer, GPUBuffer, GPUBuffer, Optimizer];
  for (const resource of [splats, grads, visible, optimizer]) track(resource);
  device.queue.writeBuffer(splats, 0, new Float32Array(80_000).fill(2));
  device.queue.writeBuffer(grads, 0, new Float32Array(70_000).fill(1));
  device.queue.writeBuffer(visible, 0, Uint32Array.of(0, 1));
  optimizer.step();
  const whole = new Float32Array((await readBuffer(device, splats)).buffer);
  // Behind the example's own step, whose gradients were zeros.
  const moved = (0.001 * (0.1 / (1 - 0.9 ** 2))) / Math.sqrt(0.001 / (1 - 0.999 ** 2));
  expect([...whole.subarray(0, 16)]).toEqual(
    [2, 2, 2, 2, 0.5, 0.5, 0.5, 0.5, 2 - moved, 2 - moved, 2 - moved / 2, 2, 0.5, 0.5, 0.5, 0.5].map((x) =>
      expect.closeTo(x, 6),
    ),
  );
});

gpuTest("the README's sparse step touches the rows that are named", async ({ device, track }) => {
  const made = await run(sparseExample!, '[table, indices, values, optimizer]', { device });
  const [table, indices, values, optimizer] = made as [GPUBuffer, GPUBuffer, GPUBuffer, Optimizer];
  for (const resource of [table, indices, values, optimizer]) track(resource);
  device.queue.writeBuffer(indices, 0, new Uint32Array(512).fill(7));
  device.queue.writeBuffer(values, 0, new Float32Array(512 * 64).fill(1));
  optimizer.step();
  const weights = await optimizer.readParam('tokens');
  weights.forEach((value, i) => {
    if (value < 0 !== (i >= 7 * 64 && i < 8 * 64)) throw new Error(`element ${i} is ${value}`);
  });
});

gpuTest("the README's own rule steps, and proves itself", async ({ device, track }) => {
  const weights = makeBuffer(device, track, [1, 2, 3, 4, 5]);
  const gradients = makeBuffer(device, track, [2, -2, 0, 1e-3, -1e-3]);
  const made = await run(ownRuleExample!, '[softSign, optimizer]', { device, weights, gradients });
  const [softSign, optimizer] = made as [RuleFactory, Optimizer];
  track(optimizer).step();
  const [first] = await optimizer.readParam('w');
  expect(first).toBeCloseTo(1 - (0.1 * 1) / 1.001, 6);
  const { single } = paritySuite(inject('seed'), [['softSign', softSign]]);
  // The defaults, and other values of lr (two), weightDecay, weightDecayMode (two), maximize, beta and eps.
  expect(single).toHaveLength(9);
  for (const { check } of single.slice(-2)) await check(device, track, 5);
});

gpuTest("the README's jax-js arrays learn", async () => {
  const log = vi.spyOn(console, 'log').mockReturnValue();
  const made = await run(jaxExample!, '[params, x, y, optimizer]');
  const [params, x, y, optimizer] = made as [unknown, jax.Array, jax.Array, Optimizer];
  const losses = log.mock.calls.map(([loss]) => loss as number);
  expect(losses.at(-1)).toBeLessThan(0.01 * losses[0]!);
  log.mockRestore();
  jax.tree.dispose([params, x, y] as never);
  optimizer.destroy();
});

gpuTest("the README's optimizer for TensorFlow.js gives the number that it says", async () => {
  const [, promised] = /\/\/ (-?[\d.]+)\n$/.exec(tfjsExample!)!;
  await import('@tensorflow/tfjs-backend-webgpu');
  await import('@tensorflow/tfjs-core/dist/register_all_gradients');
  const first = await run(tfjsExample!, '(optimizer.dispose(), first)', {
    tf: await import('@tensorflow/tfjs-core'),
  });
  expect(first).toBeCloseTo(Number(promised), 6);
});

/** Adam over five weights, with a gradient of ones. */
async function trained(device: GPUDevice, track: Track) {
  const params = [makeParameter(device, track, 'w', [1, 2, 3, 4, 5], [1, 1, 1, 1, 1])];
  const config = { rule: library.adam({ lr: 0.5 }), params };
  return { config, optimizer: track(await library.Optimizer.create(device, config)) };
}

gpuTest("the README's checkpoint brings back what it saved", async ({ device, track }) => {
  const { optimizer } = await trained(device, track);
  optimizer.step();
  const [saving, loading] = checkpointExample!.split('\n\nconst file');
  const directory = (await run(`${saving}\n`, 'directory', { optimizer })) as FileSystemDirectoryHandle;
  const [state, weights] = await Promise.all([optimizer.stateDict(), optimizer.readParam('w')]);
  optimizer.step();
  expect(await optimizer.stateDict()).not.toEqual(state);
  const { loadCheckpoint } = library;
  await run(`const file${loading}`, 'file', { directory, optimizer, loadCheckpoint });
  expect(await Promise.all([optimizer.stateDict(), optimizer.readParam('w')])).toEqual([state, weights]);
  await directory.removeEntry('run.safetensors');
});

gpuTest('the examples of the page on checkpoints run, one behind the other', async ({ device, track }) => {
  const { config, optimizer } = await trained(device, track);
  optimizer.step();
  const state = await optimizer.stateDict();
  const [saving, loading, restoring] = Array.from(
    checkpointsPage.matchAll(/```js\n(.*?)```/gs),
    ([, code]) => code!,
  );
  const saved = (await run(saving!, '{ directory, byteLength, isCopied }', { optimizer })) as {
    directory: FileSystemDirectoryHandle;
  };
  const { directory } = saved;
  expect(saved).toEqual({ directory, byteLength: 3 * 5 * 4, isCopied: true });
  optimizer.step();
  const { loaded, file } = (await run(loading!, '{ loaded, file }', { optimizer, directory })) as {
    loaded: string[];
    file: File;
  };
  expect(loaded).toEqual(['w']);
  expect(await optimizer.stateDict()).toEqual(state);
  const given = { Optimizer: library.Optimizer, device, config, file };
  const restored = track((await run(restoring!, 'optimizer', given)) as Optimizer);
  expect(await restored.stateDict()).toEqual(state);
  await directory.removeEntry('run.safetensors');
});

gpuTest('the example of the page on fewer bits keeps as many bytes as it says', async ({ device, track }) => {
  const code = exampleOf('Example', memoryPage);
  const [optimizer, ...bytes] = (await run(code, '[optimizer, copies, masterWeights, state]', {
    device,
  })) as [Optimizer, ...number[]];
  track(optimizer);
  const [, ...promised] = /\/\/ (\d+), (\d+) and (\d+) bytes\n/.exec(code)!;
  expect(bytes).toEqual(promised.map(Number));
});

test("the README's file of safetensors holds the numbers that it says", async () => {
  const [, promised] = /\/\/ ([\d, ]+)\n$/.exec(safetensorsExample!)!;
  expect([...((await run(safetensorsExample!, 'w')) as Float32Array)]).toEqual(
    promised!.split(', ').map(Number),
  );
});

test('the examples of the page on safetensors run, one behind the other', async () => {
  const [reading, writing] = ['Reading', 'Writing'].map((heading) => exampleOf(heading, safetensorsPage));
  const source = (await run(writing!, 'handle')) as FileSystemFileHandle;
  const log = vi.spyOn(console, 'log').mockReturnValue();
  const weights = (await run(reading!, 'weights', { source })) as Float32Array;
  expect(log.mock.calls).toEqual([['dense.weight', 'F32', [2, 3]]]);
  expect(weights).toEqual(new Float32Array(6));
  log.mockRestore();
  await (await navigator.storage.getDirectory()).removeEntry(source.name);
});
