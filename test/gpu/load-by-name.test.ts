/** State dicts that are loaded by the parameters' names alone, on the GPU and in the reference alike. */
import { expect, inject } from 'vitest';
import {
  type LoadedNames,
  Optimizer,
  type OptimizerSettings,
  ReferenceOptimizer,
  type StateDict,
  adam,
} from '../../src/index.js';
import { isSwiftShader } from '../../proof/adapter.js';
import { bitDifference } from '../../proof/compare.js';
import { Random } from '../../proof/random.js';
import type { Track } from '../../proof/track.js';
import { gpuTest } from '../support/device.js';
import { errorOf } from '../support/error-of.js';
import { makeParameter } from '../support/tensors.js';

interface Plan {
  readonly settings: OptimizerSettings;
  readonly groups: readonly { readonly names: readonly string[]; readonly lr: number }[];
}

const LENGTHS: Readonly<Record<string, number>> = { a: 5, b: 130, c: 17, d: 4 };

/** An optimizer and its float32 twin, of the same weights and gradients; a step is made by both. */
async function makePair(device: GPUDevice, track: Track, random: Random, { settings, groups }: Plan) {
  const values = new Map(
    groups.flatMap(({ names }) =>
      names.map((name) => {
        const length = LENGTHS[name]!;
        return [name, { weights: random.weights(length), gradients: random.gradients(length) }] as const;
      }),
    ),
  );
  const grouped = <T>(make: (name: string) => T) =>
    groups.map(({ names, lr }) => ({ params: names.map(make), lr }));
  const rule = adam();
  const optimizer = track(
    await Optimizer.create(device, {
      rule,
      ...settings,
      groups: grouped((name) => {
        const { weights, gradients } = values.get(name)!;
        return makeParameter(device, track, name, weights, gradients);
      }),
    }),
  );
  const twin = new ReferenceOptimizer({
    rule,
    ...settings,
    precision: 'f32',
    groups: grouped((name) => ({ name, data: values.get(name)!.weights.slice() })),
  });
  const names = [...values.keys()];
  const step = (skip: string[] = []) => {
    optimizer.step({ skip });
    twin.step(
      names.map((name) => values.get(name)!.gradients),
      { skip },
    );
  };
  const expectAlike = async () => {
    const [dict, want] = [await optimizer.stateDict(), twin.stateDict() as StateDict];
    expect({ ...dict, state: {} }).toEqual({ ...want, state: {} });
    if (!isSwiftShader(device)) return;
    for (const name of names) {
      for (const [slot, wanted] of Object.entries(want.state[name]!)) {
        expect(bitDifference(dict.state[name]![slot]!, wanted), `${slot} of ${name}`).toBeUndefined();
      }
      const wanted = Float32Array.from(twin.readParam(name));
      expect(bitDifference(await optimizer.readParam(name), wanted), name).toBeUndefined();
    }
  };
  return { optimizer, twin, step, expectAlike };
}

const EMA = { ema: { decay: 0.9 }, swa: { start: 2, period: 1 } };
const SOURCE = [
  { names: ['a', 'b'], lr: 0.1 },
  { names: ['c'], lr: 0.05 },
];
const TARGET = [{ names: ['c', 'd', 'a'], lr: 0.01 }];
const NAMES: LoadedNames = { loaded: ['c', 'a'], missing: ['d'], unexpected: ['b'] };

for (const [title, from, to] of [
  ['averages added', {}, EMA],
  ['averages dropped, and what the GPU decides', { ...EMA, skipNonFinite: true }, { skipNonFinite: true }],
  ['counts that only the GPU knows, added', {}, { ...EMA, maxGradNorm: 1e9 }],
] as const) {
  gpuTest(`other groups, more and less: ${title}`, async ({ device, track }) => {
    const random = new Random(inject('seed'));
    const source = await makePair(device, track, random, { settings: from, groups: SOURCE });
    source.step(['c']);
    source.step();
    source.step();
    const target = await makePair(device, track, random, { settings: to, groups: TARGET });
    target.step(['c', 'd']);
    target.step();
    const dict = await source.optimizer.stateDict();
    expect(await target.optimizer.loadStateDict(dict, { strict: false })).toEqual(NAMES);
    // From the twin's dict it is the same: runs go on elsewhere, and come back.
    expect(target.twin.loadStateDict(source.twin.stateDict(), { strict: false })).toEqual(NAMES);
    expect(target.optimizer.lr).toBe(0.01);
    if ('ema' in to) {
      const [average, weights] = [await target.optimizer.readEma('a'), await target.optimizer.readParam('a')];
      expect(bitDifference(average, weights)).toBeUndefined();
    }
    for (const name of ['a', 'c', 'd']) {
      expect(await target.optimizer.readState(name, 'step')).toEqual(target.twin.readState(name, 'step'));
    }
    await target.expectAlike();
    target.step(['a']);
    target.step();
    await target.expectAlike();
  });
}

gpuTest('a dict is refused whole, and a strict load tells of all names', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  const { optimizer, step } = await makePair(device, track, random, { settings: {}, groups: SOURCE });
  step();
  const dict = await optimizer.stateDict();
  const other = structuredClone(dict);
  step();
  other.state['c']!['exp_avg'] = new Float32Array(3);
  const before = await optimizer.stateDict();
  for (const options of [{ strict: false }, undefined]) {
    const error = await errorOf(() => optimizer.loadStateDict(other, options));
    expect([error.code, error.message]).toEqual([
      'invalid-state-dict',
      expect.stringContaining('exp_avg has 3 elements but this optimizer keeps 17'),
    ]);
  }
  const odd = await errorOf(() => optimizer.loadStateDict(dict, { strict: 'no' } as never));
  expect([odd.code, odd.message]).toEqual(['invalid-config', expect.stringContaining('strict is "no"')]);
  expect(await optimizer.stateDict()).toEqual(before);
  const all = { loaded: ['a', 'b', 'c'], missing: [], unexpected: [] };
  expect(optimizer.loadStateDictSync(dict)).toEqual(all);
  expect(await optimizer.stateDict()).toEqual(dict);
});
