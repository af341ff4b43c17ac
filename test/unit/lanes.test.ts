/** Many elements at once: each is what it is by itself. */
import { describe, expect, inject, test } from 'vitest';
import { bitDifference } from '../../proof/compare.js';
import { Random } from '../../proof/random.js';
import { ReferenceOptimizer, defineRule, option } from '../../src/index.js';
import { float32, float64 } from '../../src/reference/arithmetic/arithmetic.js';
import { LANE_LENGTH, type Lane, lanes32, lanes64 } from '../../src/reference/tensor/lanes.js';
import { allRuleFactories } from '../support/all-rules.js';

const OPERATIONS = {
  add: 2,
  sub: 2,
  mul: 2,
  div: 2,
  sqrt: 1,
  lerp: 3,
  neg: 1,
  abs: 1,
  sign: 1,
  larger: 2,
  clamp: 2,
  between: 3,
  where: 3,
  ifPositive: 3,
} as const;
const NAMES = Object.keys(OPERATIONS) as (keyof typeof OPERATIONS)[];

const random = new Random(inject('seed'));

const LEAST = 2 ** -126;
/** Of two or three of them, much is tiny: differences, products, and parts of a way; of one pair, what only gradual underflow would round up to a normal number. */
const SMALL = [1, 1.25, -1.5, 4, -12].map((multiple) => multiple * LEAST);
const FACTORS = [2 ** -63, (1 - 2 ** -24) * 2 ** -63, 0.1, -0.25];

/** Float32 of all kinds, subnormal ones and those at the end among them. */
function anyNumbers(): Float32Array {
  const words = new Uint32Array(LANE_LENGTH).map(() => random.integer(2 ** 32) >>> random.integer(3));
  return new Float32Array(words.buffer).map((value) => {
    const share = random.uniform();
    if (share < 0.5) return random.pick([...SMALL, ...FACTORS]);
    return share < 0.7 ? random.pick([0, -0, 1, 1e-40, -1e-40, Infinity]) : value;
  });
}

describe.for([
  { name: 'float32', f: float32, lanes: lanes32 },
  { name: 'float64', f: float64, lanes: lanes64 },
])('$name', ({ f, lanes }) => {
  test.for(NAMES)('%s', (operation) => {
    const call = (of: typeof f | typeof lanes, values: readonly unknown[]): unknown =>
      (of[operation] as (...values: readonly unknown[]) => unknown)(...values);
    for (const count of [1, 2, 3, LANE_LENGTH - 1, LANE_LENGTH]) {
      lanes.begin(count);
      const given = Array.from({ length: OPERATIONS[operation] }, () => {
        const lane = lanes.take();
        lane.set(anyNumbers());
        return lane;
      });
      const singles = given.map((lane) => lane.slice());
      const want = Float64Array.from({ length: count }, (_, i) =>
        Number(
          call(
            f,
            singles.map((lane) => lane[i]!),
          ),
        ),
      );
      const got = Float64Array.from((call(lanes, given) as Lane).subarray(0, count));
      expect(got).toEqual(want);
      // What was made of them goes on as what it is, and what they are has not changed.
      const sums = Float64Array.from(lanes.add(call(lanes, given) as Lane, given[0]!).subarray(0, count));
      expect(sums).toEqual(want.map((value, i) => f.add(value, singles[0]![i]!)));
      expect(given).toEqual(singles);
    }
  });

  test('scalars are the same for all elements, and can be asked for', () => {
    lanes.begin(5);
    for (const value of [0.1, -0, 1e-40]) {
      expect(lanes.store(lanes.scalar(value))).toBe(f.scalar(value));
      expect(lanes.mul(lanes.constant(value), lanes.constant(2 ** 30))[4]).toBe(f.mul(value, 2 ** 30));
    }
    const lane = lanes.take();
    lane.set([1, 1, 1, 1, 2]);
    expect(() => lanes.store(lane)).toThrow(/what differs by element/);
    expect(() => lanes.norm(5, () => lane)).toThrow(/called for many elements at once/);
  });
});

test('a tensor is stepped as its parts are, wherever lanes end', () => {
  const length = 2 * LANE_LENGTH + 77;
  const cuts = [0, 1, 130, LANE_LENGTH + 3, length];
  const parts = cuts.slice(1).map((end, k) => [cuts[k]!, end] as const);
  for (const [name, factory] of allRuleFactories) {
    const rule = factory();
    const { declaration } = rule;
    if (declaration.tensor || declaration.matrix) continue;
    for (const precision of ['f32', 'f64'] as const) {
      const weights = random.weights(length);
      const whole = new ReferenceOptimizer({
        rule,
        precision,
        params: [{ name: 'w', data: weights.slice() }],
      });
      const cut = new ReferenceOptimizer({
        rule,
        precision,
        params: parts.map(([from, to], k) => ({ name: `w${k}`, data: weights.slice(from, to) })),
      });
      for (let step = 0; step < 3; step++) {
        const gradient = random.gradients(length);
        whole.step([gradient]);
        cut.step(parts.map(([from, to]) => gradient.subarray(from, to)));
      }
      const joined = parts.flatMap((_, k) => [...cut.readParam(`w${k}`)]);
      expect(
        bitDifference(Float32Array.from(whole.readParam('w')), Float32Array.from(joined)),
        name,
      ).toBeUndefined();
    }
  }
});

test('a reference that computes by itself is one clear error, and nothing is stored', () => {
  const define = (
    reference: (f: unknown, element: { readonly w: unknown; s: { kept: unknown } }) => unknown,
  ) =>
    defineRule({
      name: 'plain',
      wgsl: 'fn update(w: lane, g: lane) -> lane { return w; }',
      options: option.common(0.1),
      slots: [{ name: 'kept' }],
      scalars: (_, lr) => ({ lr }),
      reference: reference as never,
    })();
  const ofWeights = define(() => 1);
  const ofState = define((_, { w, s }) => {
    s.kept = 2;
    return w;
  });
  for (const rule of [ofWeights, ofState]) {
    const data = Float32Array.of(3, 4, 5);
    const optimizer = new ReferenceOptimizer({ rule, params: [{ name: 'w', data }] });
    expect(() => optimizer.step([new Float32Array(3)])).toThrow(/computes by itself; use the operations/);
    expect([...data]).toEqual([3, 4, 5]);
    expect([...optimizer.readParam('w')]).toEqual([3, 4, 5]);
  }
});
