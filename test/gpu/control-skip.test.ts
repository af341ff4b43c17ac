import { expect, inject } from 'vitest';
import { Optimizer, ReferenceOptimizer, adam, sgd } from '../../src/index.js';
import type { OptionSpec } from '../../src/rules/options/options.js';
import { ruleFactories } from '../../src/rules/registry.js';
import type { RuleFactory } from '../../src/rules/rule.js';
import { BoundedRun, boundedPart } from '../../proof/bounded-run.js';
import { bitDifference, checkWithinBound } from '../../proof/compare.js';
import { BOUNDED_ELEMENTS, LENGTHS, makeTensors } from '../support/control-tensors.js';
import { isSwiftShader } from '../../proof/adapter.js';
import { gpuTest } from '../support/device.js';
import { drawn } from '../support/draw.js';
import { Random } from '../../proof/random.js';
import { makeParameter } from '../support/tensors.js';

/** Decay rates other than a rule's default, if it has any: each group keeps its own corrections. */
function otherBetas({ declaration }: RuleFactory): { betas?: unknown } {
  const spec = new Map<string, OptionSpec<unknown>>(Object.entries(declaration.options)).get('betas');
  return spec ? { betas: spec.samples[0] } : {};
}

for (const [name, factory] of drawn([...ruleFactories], 5)) {
  gpuTest(`${name} skips steps with NaN or Inf, as if it never saw them`, async ({ device, track }) => {
    const random = new Random(inject('seed'));
    const tensors = makeTensors(
      device,
      track,
      LENGTHS.slice(0, 7).map((n) => new Float32Array(n)),
      random,
    );
    const groups = [
      { params: tensors.slice(0, 3).map(({ parameter }) => parameter) },
      {
        params: tensors.slice(3).map(({ parameter }) => parameter),
        lr: 0.02,
        ...otherBetas(factory),
      },
    ];
    const optimizer = track(await Optimizer.create(device, { rule: factory(), groups, skipNonFinite: true }));
    let index = 0;
    const twin = new ReferenceOptimizer({
      rule: factory(),
      precision: 'f32',
      groups: groups.map(({ params, ...overrides }) => ({
        ...overrides,
        params: params.map((parameter) => ({ name: parameter.name, data: tensors[index++]!.weights })),
      })),
    });
    const bounds = tensors.map(({ weights }, k) => {
      const { params: _, ...overrides } = groups[k < 3 ? 0 : 1]!;
      const rule = factory(overrides);
      return new BoundedRun(rule, boundedPart(rule, weights, BOUNDED_ELEMENTS));
    });
    let skipped = 0;
    for (let step = 0; step < 30; step++) {
      const now = tensors.map(({ weights }) => random.gradients(weights.length));
      const isBad = random.uniform() < 0.4;
      if (isBad) {
        const victim = random.pick(now);
        victim[random.integer(victim.length)] = random.pick([NaN, Infinity, -Infinity]);
      }
      tensors.forEach(({ upload }, k) => upload(now[k]!));
      optimizer.step();
      if (isBad) {
        skipped++;
        continue;
      }
      twin.step(now);
      bounds.forEach((bound, k) => bound.step(now[k]!));
    }
    const stats = await optimizer.stats();
    expect([stats.step, stats.skipped]).toEqual([30 - skipped, skipped]);
    const dict = await optimizer.stateDict();
    expect(dict.step).toBe(30 - skipped);
    for (const [k, { weights }] of tensors.entries()) {
      const got = await optimizer.readParam(`w${k}`);
      if (isSwiftShader(device)) expect(bitDifference(got, weights), `w${k}`).toBeUndefined();
      checkWithinBound(got, bounds[k]!.weights, `w${k}`);
      for (const [slot, values] of Object.entries(dict.state[`w${k}`]!)) {
        const want = Float32Array.from(twin.readState(`w${k}`, slot));
        if (isSwiftShader(device)) expect(bitDifference(values, want), slot).toBeUndefined();
      }
    }
  });
}

gpuTest('gradients that are gathered are each tensor’s own', async ({ device, track }) => {
  const random = new Random(inject('seed'));
  const values = Array.from({ length: 18 }, () => [random.weights(5), random.gradients(5)] as const);
  const runs = [{ skipNonFinite: true }, {}].map(async (config) => {
    const params = values.map(([w, g], k) => makeParameter(device, track, `w${k}`, w, g));
    const optimizer = track(await Optimizer.create(device, { rule: sgd({ lr: 0.1 }), params, ...config }));
    optimizer.step();
    return Promise.all(values.map((_, k) => optimizer.readParam(`w${k}`)));
  });
  const [gathered, plain] = await Promise.all(runs);
  expect(gathered).toEqual(plain);
});

gpuTest('a skipped step changes no byte of parameter, state or count', async ({ device, track }) => {
  const params = [makeParameter(device, track, 'w', [1, 2, 3, 4, 5], [1, 1, NaN, 1, 1])];
  const optimizer = track(await Optimizer.create(device, { rule: adam(), params, skipNonFinite: true }));
  const before = await optimizer.stateDict();
  for (let k = 0; k < 3; k++) optimizer.step();
  const after = await optimizer.stateDict();
  expect({ ...after, control: undefined }).toEqual({ ...before, control: undefined });
  expect(after.control!.skipped).toBe(3);
  expect([...(await optimizer.readParam('w'))]).toEqual([1, 2, 3, 4, 5]);
  expect((await optimizer.stats()).gradNorm).toBeNaN();
  expect([...(await optimizer.readState('w', 'step'))]).toEqual([0]);
});

gpuTest(
  'maxConsecutiveSkips lets a non-finite step through, as apply_if_finite',
  async ({ device, track }) => {
    const params = [makeParameter(device, track, 'w', [1, 1], [Infinity, 1])];
    const config = { rule: sgd({ lr: 1 }), params, skipNonFinite: true, maxConsecutiveSkips: 2 };
    const optimizer = track(await Optimizer.create(device, config));
    optimizer.step();
    optimizer.step();
    expect([...(await optimizer.readParam('w'))]).toEqual([1, 1]);
    optimizer.step();
    expect([...(await optimizer.readParam('w'))]).toEqual([-Infinity, 0]);
    expect(await optimizer.stats()).toMatchObject({ step: 1, skipped: 2, gradNorm: Infinity });
  },
);
