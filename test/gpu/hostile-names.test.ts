/** Names with all that a language may trip over: they are names, reach no shader, and come back from every call. */
import { expect } from 'vitest';
import { Optimizer, ParameterArena, adam, loadCheckpoint, saveCheckpoint } from '../../src/index.js';
import type { Track } from '../../proof/track.js';
import { gpuTest } from '../support/device.js';
import { tamper } from '../support/tamper.js';
import { makeParameter } from '../support/tensors.js';

const NAMES = [
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  '"',
  "'",
  '`${1}`',
  'a\nfn evil() {}',
  '*/ fn evil() {} /*',
  '\r\n\u2028\u2029',
  '\\',
  '</script>',
  '%s',
  'state.a.exp_avg',
  '0',
  'ключ 鍵 🔑',
];

/** What reaches the compiler while `run` runs. */
async function sourcesOf(device: GPUDevice, run: () => Promise<void>): Promise<Set<string>> {
  const sources = new Set<string>();
  const [createModule, createPipeline, createPipelineAsync] = [
    device.createShaderModule.bind(device),
    device.createComputePipeline.bind(device),
    device.createComputePipelineAsync.bind(device),
  ];
  const note = ({ compute }: GPUComputePipelineDescriptor) =>
    void sources.add(JSON.stringify([compute.entryPoint, compute.constants]));
  const undo = tamper(device, {
    createShaderModule: (descriptor: GPUShaderModuleDescriptor) => {
      sources.add(descriptor.code);
      return createModule(descriptor);
    },
    createComputePipeline: (descriptor: GPUComputePipelineDescriptor) => {
      note(descriptor);
      return createPipeline(descriptor);
    },
    createComputePipelineAsync: (descriptor: GPUComputePipelineDescriptor) => {
      note(descriptor);
      return createPipelineAsync(descriptor);
    },
  });
  try {
    await run();
  } finally {
    undo();
  }
  return sources;
}

/** Trains parameters of these names, and asks each call about each of them. */
async function train(device: GPUDevice, track: Track, names: readonly string[]): Promise<void> {
  const label = names.join(' ');
  const params = names.map((name, k) => ({
    ...makeParameter(device, track, name, [k, k + 1], [1, 1]),
    rowLength: 1,
  }));
  const config = { rule: adam(), params, label, maxGradNorm: 1e9, skipNonFinite: true, ema: { decay: 0.5 } };
  const optimizer = track(await Optimizer.create(device, config));
  optimizer.step({ skip: names.slice(1) });
  optimizer.step();
  optimizer.freeze([names[0]!]);
  optimizer.step();
  optimizer.unfreeze([names[0]!]);
  optimizer.rebind(Object.fromEntries(params.map(({ name, grad }) => [name, { grad }])));
  optimizer.resetState({ names: [names[1]!] });
  await optimizer.mapRows([names[2]!], { from: Uint32Array.of(1, 0), rowCount: 2 });
  const dict = await optimizer.stateDict();
  expect(Object.keys(dict.state).toSorted()).toEqual([...names].toSorted());
  expect(await optimizer.loadStateDict(dict)).toMatchObject({ missing: [], unexpected: [] });
  expect(Object.keys(await optimizer.norms()).toSorted()).toEqual([...names].toSorted());
  const { bytes } = await saveCheckpoint(optimizer, 'bytes');
  expect((await loadCheckpoint(optimizer, bytes)).loaded.toSorted()).toEqual([...names].toSorted());
  for (const name of names) {
    expect((await optimizer.readParam(name)).length, name).toBe(2);
    expect([...(await optimizer.readState(name, 'exp_avg'))], name).toEqual([
      ...(dict.state[name]!['exp_avg'] as Float32Array),
    ]);
    expect((await optimizer.readEma(name)).length, name).toBe(2);
  }
  optimizer.remove(names.slice(1));
  optimizer.step();
}

/** An arena of tensors of these names, in groups of these names. */
async function fill(device: GPUDevice, track: Track, names: readonly string[]): Promise<void> {
  const spec = Object.fromEntries(
    names.map((name) => [name, { shape: [2], init: 'normal' as const, group: name }]),
  );
  const arena = track(await ParameterArena.create(device, spec, { label: names.join(' ') }));
  // Groups may have such names, too, and their options are their own.
  expect(arena.groupNames.toSorted()).toEqual(names.toSorted());
  const groups = arena.groups(Object.fromEntries([[names[0]!, { lr: 0.5 }]]));
  expect(groups.map(({ params, ...options }) => [params.map(({ name }) => name), options])).toEqual(
    arena.groupNames.map((name) => [[name], name === names[0] ? { lr: 0.5 } : {}]),
  );
  for (const name of names) {
    arena.load(name, [1, 2]);
    expect([...(await arena.read(name))], name).toEqual([1, 2]);
  }
}

gpuTest('reach no shader, and every call knows them', async ({ device, track }) => {
  const plain = NAMES.map((_, k) => `w${k}`);
  for (const use of [train, fill]) {
    const want = await sourcesOf(device, () => use(device, track, plain));
    const got = await sourcesOf(device, () => use(device, track, NAMES));
    // What was compiled once is not compiled again.
    expect([...got].filter((source) => !want.has(source))).toEqual([]);
  }
});
