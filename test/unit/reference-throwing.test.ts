/** Rules of users that throw in the middle of a step. */
import { describe, expect, inject, test } from 'vitest';
import { Random } from '../../proof/random.js';
import { OptimizerError, ReferenceOptimizer, defineRule, option } from '../../src/index.js';
import { LANE_LENGTH } from '../../src/reference/tensor/lanes.js';

const MINE = new Error('mine');
const LENGTH = LANE_LENGTH + 5;

/** Momentum that throws where, and at which call from then on, it is told to. */
function throwingRule() {
  const next: { where?: 'scalars' | 'reference'; after: number } = { after: 0 };
  const called = (where: 'scalars' | 'reference'): void => {
    if (next.where === where && next.after-- === 0) throw MINE;
  };
  const rule = defineRule({
    name: 'throwing',
    wgsl: 'fn update(w: lane, g: lane) -> lane { kept = h.rate * kept + g; return w - h.lr * kept; }',
    options: { ...option.common(0.1), rate: option.number(0.5, 0) },
    slots: [{ name: 'kept' }],
    scalars: ({ rate }, lr) => {
      called('scalars');
      return { lr, rate };
    },
    reference: (f, { w, g, s, h }) => {
      called('reference');
      s.kept = f.add(f.mul(h.rate, s.kept), g);
      return f.sub(w, f.mul(h.lr, s.kept));
    },
  })();
  return { rule, next };
}

function makeOptimizer() {
  const random = new Random(inject('seed'));
  const { rule, next } = throwingRule();
  const [a, b] = [random.weights(LENGTH), random.weights(3)];
  const optimizer = new ReferenceOptimizer({
    rule,
    lossScale: 'dynamic',
    maxGradNorm: 1,
    params: [
      { name: 'a', data: a },
      { name: 'b', data: b },
    ],
  });
  const step = (): void => optimizer.step([random.gradients(LENGTH), random.gradients(3)]);
  const seen = () => ({
    dict: optimizer.stateDict(),
    stats: optimizer.stats(),
    weights: ['a', 'b'].map((name) => optimizer.readParam(name)),
    data: [a.slice(), b.slice()],
  });
  return { optimizer, next, step, seen };
}

describe.each(['scalars', 'reference'] as const)('%s throws at once', (where) => {
  test.each([0, 3])('behind %i steps: nothing changes', (steps) => {
    const { next, step, seen } = makeOptimizer();
    for (let k = 0; k < steps; k++) step();
    const before = seen();
    Object.assign(next, { where, after: 0 });
    expect(step).toThrow(MINE);
    expect(seen()).toEqual(before);
    step();
    expect(seen().stats.step).toBe(steps + 1);
  });
});

test.each([
  { calls: 1, changed: '["a"]', what: 'in the middle of a tensor' },
  { calls: 2, changed: '["a"]', what: 'at the next tensor' },
])('$what: an error tells what has been stepped', ({ calls, changed }) => {
  const { optimizer, next, step } = makeOptimizer();
  step();
  const [a, b] = ['a', 'b'].map((name) => optimizer.readParam(name));
  Object.assign(next, { where: 'reference', after: calls });
  let error: unknown;
  try {
    step();
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toBeInstanceOf(OptimizerError);
  expect(error).toMatchObject({ code: 'invalid-config', cause: MINE });
  expect(String(error)).toContain(`when parameters ${changed} had been stepped`);
  expect(optimizer.readParam('a')).not.toEqual(a);
  expect(optimizer.readParam('b')).toEqual(b);
  expect(optimizer.readState('b', 'step')[0]).toBe(1);
  step();
});
