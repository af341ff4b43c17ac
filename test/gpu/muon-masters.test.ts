/** Muon with weights of 2 bytes that are kept more exactly, and gradients in fixed point: bit for bit its twin, whatever is called. */
import { expect, inject } from 'vitest';
import { Optimizer, ReferenceOptimizer, adamw, muon } from '../../src/index.js';
import { bf16 } from '../../src/codecs/bf16.js';
import { isSwiftShader } from '../../proof/adapter.js';
import { bitDifference } from '../../proof/compare.js';
import { Random } from '../../proof/random.js';
import { gpuTest } from '../support/device.js';
import { makeBuffer } from '../support/tensors.js';

const SHAPES = { a: [4, 6], b: [4, 6], c: [8, 8], d: [8, 8], e: [6] };
const GRAD_SCALE = 1024;
const ABOUT = { dtype: 'bf16', gradDtype: 'i32', gradScale: GRAD_SCALE } as const;

for (const [masterWeights, slot] of [
  ['f32', 'master'],
  ['split', 'correction'],
] as const) {
  gpuTest(`steps as in the reference: ${masterWeights}`, async ({ device, track }) => {
    const random = new Random(inject('seed'));
    const tensors = Object.entries(SHAPES).map(([name, shape]) => {
      const length = shape.reduce((product, side) => product * side, 1);
      const weights = random.weights(length);
      const data = makeBuffer(device, track, new Float32Array(bf16.encode(weights).buffer));
      return {
        name,
        shape,
        length,
        weights,
        data,
        grad: makeBuffer(device, track, new Float32Array(length)),
      };
    });
    const rule = muon({ lr: 0.01, others: adamw({ lr: 0.01 }) });
    const settings = { masterWeights, ema: { decay: 0.9 }, skipNonFinite: true };
    const params = tensors.map(({ name, shape, length, data, grad }) => ({
      ...ABOUT,
      name,
      shape,
      length,
      data,
      grad,
    }));
    const optimizer = track(await Optimizer.create(device, { rule, ...settings, params }));
    const twin = new ReferenceOptimizer({
      rule,
      ...settings,
      precision: 'f32',
      params: tensors.map(({ name, shape, weights }) => ({ ...ABOUT, name, shape, data: weights.slice() })),
    });
    const step = (skip: string[] = [], skipped = skip): void => {
      const gradients = tensors.map(({ grad, length }) => {
        const integers = Int32Array.from(random.weights(length), (value) => Math.round(value * GRAD_SCALE));
        device.queue.writeBuffer(grad, 0, integers);
        return integers;
      });
      optimizer.step({ skip });
      twin.step(gradients, { skip: skipped });
    };
    const check = async (what: string): Promise<void> => {
      for (const { name, shape } of tensors) {
        const momentum = shape.length > 1 ? 'momentum_buffer' : 'exp_avg';
        const pairs = [[await optimizer.readParam(name), twin.readParam(name)] as const];
        for (const each of [momentum, 'ema', slot] as const)
          pairs.push([await optimizer.readState(name, each), twin.readState(name, each)]);
        for (const [got, want] of pairs) {
          if (isSwiftShader(device))
            expect(bitDifference(got, Float32Array.from(want)), `${what}: ${name}`).toBeUndefined();
          else expect(got.every(Number.isFinite), `${what}: ${name}`).toBe(true);
        }
      }
    };
    step();
    step(['a']);
    step(['c', 'e']);
    await check('left out');
    optimizer.freeze(['d']);
    // The twin knows no freezing: it leaves out.
    step([], ['d']);
    optimizer.unfreeze(['d']);
    step();
    await check('frozen');
    optimizer.eval();
    twin.eval();
    await check('evaluating');
    optimizer.train();
    twin.train();
    for (const { groups } of [optimizer, twin]) groups[0]!.set({ nsSteps: 4, lr: 0.02 });
    step();
    await check('other options');
    await optimizer.addGroup({ params: ['b'], lr: 0.02, nsSteps: 4 });
    step();
    await check('moved to another group');
  });
}
