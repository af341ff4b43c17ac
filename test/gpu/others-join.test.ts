/** Groups that join a run of a rule of matrices: each is of the rule that its parameters' shapes ask for. */
import { expect, inject } from 'vitest';
import { Optimizer, ReferenceOptimizer, type Rule, adafactor, adamw, muon } from '../../src/index.js';
import { isSwiftShader } from '../../proof/adapter.js';
import { Random } from '../../proof/random.js';
import { gpuTest } from '../support/device.js';
import { errorOf } from '../support/error-of.js';
import { expectWeights, makeNetwork } from '../support/network.js';

const SHAPES = { w1: [4, 6], b1: [7], w2: [5, 3], b2: [3], flat: [2, 9] };

const RULES = [
  [adafactor({ lr: 0.3 }), ['row_var', 'col_var'], ['variance']],
  [muon({ lr: 0.1, others: adamw({ lr: 0.1 }) }), ['momentum_buffer'], ['exp_avg', 'exp_avg_sq']],
] as const;

for (const [rule, ofMatrices, ofOthers] of RULES) {
  gpuTest(`${rule.name}: late ones step as in the reference`, async ({ device, track }) => {
    const network = makeNetwork(device, track, new Random(inject('seed')), SHAPES);
    const { upload, twins } = network;
    const [w1, b1, w2, b2, flat] = network.params;
    const optimizer = track(await Optimizer.create(device, { rule, params: [w1!, b1!] }));
    await optimizer.addGroup({ params: [w2!] });
    optimizer.addGroupSync({ params: [b2!] });
    // Without a shape it is no matrix.
    const { shape: _shape, ...shapeless } = flat!;
    await optimizer.addGroup({ params: [shapeless] });
    const slotsOf = async () => {
      const { state } = await optimizer.stateDict();
      return Object.fromEntries(Object.entries(state).map(([name, slots]) => [name, Object.keys(slots)]));
    };
    const slots = { w1: ofMatrices, b1: ofOthers, w2: ofMatrices, b2: ofOthers, flat: ofOthers };
    expect(await slotsOf()).toEqual(slots);
    const twin = new ReferenceOptimizer({
      rule,
      precision: 'f32',
      params: twins.map(({ name, shape, data }) => ({ name, data, ...(name !== 'flat' && { shape }) })),
    });
    const step = () => {
      twin.step(upload());
      optimizer.step();
    };
    step();
    // Moved, they keep what they have.
    await optimizer.addGroup({ params: ['b1', 'b2'] });
    await optimizer.addGroup({ params: ['w1', w2!] });
    expect(optimizer.groups.map(({ params }) => params)).toEqual([['flat'], ['b1', 'b2'], ['w1', 'w2']]);
    expect(await slotsOf()).toEqual(slots);
    step();
    if (isSwiftShader(device)) await expectWeights(optimizer, twin, Object.keys(SHAPES));
  });

  gpuTest(`${rule.name}: what does not fit is refused, and changes nothing`, async ({ device, track }) => {
    const { params } = makeNetwork(device, track, new Random(inject('seed')), SHAPES);
    const [w1, b1, w2, b2, flat] = params;
    const groups = [{ params: [w1!, b1!] }, { params: [flat!], others: true as const }];
    const optimizer = track(await Optimizer.create<Rule>(device, { rule, groups: groups as never }));
    const before = await optimizer.stateDict();
    const messageOf = async (group: object): Promise<string> =>
      (await errorOf(() => optimizer.addGroup(group as never))).message;
    expect(await messageOf({ params: [b2, w2] })).toBe(
      'addGroup(): "w2" is a matrix and "b2" is none; add them by two calls.',
    );
    expect(await messageOf({ params: [w2, 'b1'] })).toContain('"w2" is a matrix and "b1" is none');
    // A matrix that goes by the rule of others keeps that state, however it is named.
    for (const given of ['flat', flat])
      expect(await messageOf({ params: [given] })).toContain('"flat" is of');
    expect(await messageOf({ params: ['w1'], others: true })).toContain('"w1" is of');
    if (rule.name === 'adafactor') {
      expect(await messageOf({ params: ['w1'], minDimSizeToFactor: 5 })).toContain(
        'parameter "w1" is of adafactor for matrices and would move to adafactor;',
      );
    }
    expect(await optimizer.stateDict()).toEqual(before);
    optimizer.addGroupSync({ params: [w2!] });
    optimizer.step();
  });
}

gpuTest('which tensors are matrices is said once', async ({ device, track }) => {
  const { params } = makeNetwork(device, track, new Random(inject('seed')), SHAPES);
  const rule = adafactor({ minDimSizeToFactor: 4 });
  const optimizer = track(await Optimizer.create(device, { rule, params }));
  expect(optimizer.groups.map((group) => group.params)).toEqual([['w1'], ['b1', 'w2', 'b2', 'flat']]);
  const refused = await errorOf(() => optimizer.groups[0]!.set({ minDimSizeToFactor: 1 }));
  expect(refused.message).toContain('minDimSizeToFactor says');
  expect(optimizer.groups[0]!.options.minDimSizeToFactor).toBe(4);
});
