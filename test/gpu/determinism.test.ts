/** The same run has the same bits again: on the same device, and on another one of the same adapter. */
import { expect, inject } from 'vitest';
import { Optimizer, type OptimizerConfig } from '../../src/index.js';
import { bitDifference } from '../../proof/compare.js';
import { Random } from '../../proof/random.js';
import { type Track } from '../../proof/track.js';
import { rules } from '../../src/rules/registry.js';
import { getTestAdapter, gpuTest } from '../support/device.js';
import { drawn } from '../support/draw.js';
import { makeWords } from '../support/sparse-run.js';
import { makeBuffer } from '../support/tensors.js';

const ROWS = 40;
const ROW_LENGTH = 5;
const ENTRIES = 300;

/** Norms over several workgroups, rows that are named many times, a tail, a dynamic loss scale. */
function configOf(device: GPUDevice, track: Track, rule: OptimizerConfig['rule']): OptimizerConfig {
  const random = new Random(inject('seed'));
  const floats = (count: number) => makeBuffer(device, track, random.weights(count));
  const indices = Array.from({ length: ENTRIES }, () => random.integer(ROWS));
  const table = {
    name: 'table',
    data: floats(ROWS * ROW_LENGTH),
    rowLength: ROW_LENGTH,
    grad: { indices: makeWords(device, track, indices), values: floats(ENTRIES * ROW_LENGTH) },
  };
  const dense = [2051, 3].map((count, k) => ({ name: `w${k}`, data: floats(count), grad: floats(count) }));
  const common = { rule, maxGradNorm: 0.5, lossScale: 'dynamic' as const };
  const { evaluation, tensor } = rule.declaration;
  // What is taken of all weights goes with no table.
  if (evaluation || tensor) return { ...common, params: dense, ...(!evaluation && { ema: { decay: 0.5 } }) };
  return { ...common, params: [...dense, table] };
}

/** All that a run comes to. */
async function bitsOf(device: GPUDevice, track: Track, rule: OptimizerConfig['rule']) {
  const optimizer = track(await Optimizer.create(device, configOf(device, track, rule)));
  for (let k = 0; k < 4; k++) optimizer.step();
  const { state } = await optimizer.stateDict();
  const { gradNorm } = await optimizer.stats();
  const names = Object.keys(state);
  const weights = await Promise.all(names.map((name) => optimizer.readParam(name)));
  const arrays = [
    ...weights,
    ...names.flatMap((name) => Object.values(state[name]!)),
    Float32Array.of(gradNorm ?? 0),
  ];
  return arrays.map((array) => Float32Array.from(array));
}

for (const [name, factory] of drawn(Object.entries(rules), 10)) {
  gpuTest(`${name} has the same bits on each run, and on each device`, async ({ device, track }) => {
    const want = await bitsOf(device, track, factory());
    expect(want.flatMap((array) => [...array]).some((value) => value !== 0)).toBe(true);
    const other = await (await getTestAdapter()).requestDevice({ label: 'another' });
    try {
      for (const each of [device, other]) {
        const got = await bitsOf(each, track, factory());
        expect(got.length).toBe(want.length);
        for (const [k, array] of got.entries())
          expect(bitDifference(array, want[k]!), `${k}`).toBeUndefined();
      }
    } finally {
      other.destroy();
    }
  });
}
