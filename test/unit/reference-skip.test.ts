import { describe, expect, inject, test } from 'vitest';
import { OptimizerError, ReferenceOptimizer, adam, novograd, rmsprop, sgd } from '../../src/index.js';
import { layoutOf } from '../../src/kernel/rule-layout.js';
import { ruleFactories } from '../../src/rules/registry.js';
import { Random } from '../../proof/random.js';

const EVERY_AVERAGE = {
  lookahead: { every: 2, alpha: 0.5 },
  ema: { decay: 0.9, warmup: true },
  swa: { start: 2, period: 2 },
};
const SLOTS = ['slow', 'ema', 'swa'];

describe.each(ruleFactories)('%s: a parameter left out', (_, factory) => {
  const rule = factory({ lr: 0.1 });
  const slots = [...layoutOf(rule).slots.map(({ name }) => name), ...SLOTS];
  /** Steps at which `b` is left out: the first one, so that nothing of it has begun, and two in a row. */
  const skippedAt = [0, 3, 4];

  test('stays bit for bit, and goes on as if the step had not been', () => {
    const random = new Random(inject('seed'));
    const [a, b] = [random.weights(5), random.weights(7)];
    const make = (name: string, data: Float32Array) =>
      new ReferenceOptimizer({
        rule,
        precision: 'f32',
        ...EVERY_AVERAGE,
        params: [{ name, data: data.slice() }],
      });
    const [alone, rare] = [make('a', a), make('b', b)];
    const both = new ReferenceOptimizer({
      rule,
      precision: 'f32',
      ...EVERY_AVERAGE,
      params: [
        { name: 'a', data: a.slice() },
        { name: 'b', data: b.slice() },
      ],
    });
    const seen = (optimizer: ReferenceOptimizer, name: string) => [
      optimizer.readParam(name),
      ...['step', ...slots].map((slot) => optimizer.readState(name, slot)),
    ];
    for (let step = 0; step < 8; step++) {
      const [ga, gb] = [random.gradients(5), random.gradients(7)];
      alone.step([ga]);
      if (skippedAt.includes(step)) {
        const before = seen(both, 'b');
        // Whatever its gradient holds, or if there is none, it is not looked at.
        if (step === 3) both.step({ a: ga }, { skip: ['b'] });
        else both.step([ga, gb.fill(NaN)], { skip: new Set(['b']) });
        expect(seen(both, 'b')).toEqual(before);
      } else {
        rare.step([gb]);
        both.step({ a: ga, b: gb });
      }
      expect(seen(both, 'a')).toEqual(seen(alone, 'a'));
      expect(seen(both, 'b')).toEqual(seen(rare, 'b'));
    }
    expect(both.readState('b', 'step')).toEqual(Float32Array.of(5));
    expect(both.stats().step).toBe(8);
  });
});

describe('a step that leaves parameters out', () => {
  const make = (config: object = {}) =>
    new ReferenceOptimizer({
      rule: sgd({ lr: 1 }),
      params: [
        { name: 'a', data: Float64Array.of(1) },
        { name: 'b', data: Float64Array.of(2) },
      ],
      ...config,
    });

  test('counts their gradients neither in the norm nor in the search for NaN', () => {
    const optimizer = make({ maxGradNorm: 10, skipNonFinite: true });
    optimizer.step([[3], [4]]);
    expect(optimizer.stats().gradNorm).toBe(5);
    optimizer.step([[3], [NaN]], { skip: ['b'] });
    expect(optimizer.stats()).toMatchObject({ step: 2, skipped: 0, gradNorm: 3 });
    optimizer.step([[3], [NaN]]);
    expect(optimizer.stats()).toMatchObject({ step: 2, skipped: 1 });
    expect(optimizer.readState('a', 'step')).toEqual(Float64Array.of(2));
    expect(optimizer.readState('b', 'step')).toEqual(Float64Array.of(1));
  });

  test('follows schedules by the number of steps asked for', () => {
    const optimizer = make({ rule: sgd({ lr: (step) => step }) });
    optimizer.step([[1], [1]]);
    optimizer.step([[1], [1]], { skip: ['b'] });
    optimizer.step([[1], [1]], { skip: ['a', 'b'] });
    optimizer.step([[1], [1]]);
    expect([optimizer.readParam('a')[0], optimizer.readParam('b')[0]]).toEqual([1 - 1 - 3, 2 - 3]);
    expect(optimizer.stats().step).toBe(4);
  });

  test('may leave out every name that an iterable gives, once or twice', () => {
    const optimizer = make();
    const names = function* () {
      yield 'a';
      yield 'a';
    };
    optimizer.step([[1], [1]], { skip: names() });
    optimizer.step([[1], [1]], {});
    optimizer.step([[1], [1]], { skip: [] });
    expect([optimizer.readParam('a')[0], optimizer.readParam('b')[0]]).toEqual([-1, -1]);
  });

  test('keeps the state that a tensor has as a whole', () => {
    const params = ['a', 'b'].map((name) => ({ name, data: Float64Array.of(1, 2) }));
    const optimizer = new ReferenceOptimizer({ rule: novograd(), params });
    optimizer.step([
      [3, 4],
      [3, 4],
    ]);
    optimizer.step(
      [
        [1, 1],
        [1, 1],
      ],
      { skip: ['b'] },
    );
    expect(optimizer.readState('b', 'exp_avg_sq')).toEqual(Float64Array.of(25));
    expect(optimizer.readState('a', 'exp_avg_sq')[0]).toBeLessThan(25);
  });

  test.for<[string, unknown]>([
    ['there is no parameter "c"; there are "a", "b"', { skip: ['a', 'c'] }],
    ['there is no parameter undefined', { skip: [undefined] }],
    ['skip is "a"; give a list of names', { skip: 'a' }],
    ['skip is 1', { skip: 1 }],
    ['skip is null', { skip: null }],
    ['unknown option "skipped"', { skipped: ['a'] }],
    ['the options are a Set; names to be skipped are given as { skip: names }', new Set(['a'])],
    ['the options are ["a"]', ['a']],
    ['the options are "a"', 'a'],
    ['the options are null', null],
  ])('refuses, changing nothing: %s', ([message, options]) => {
    const optimizer = make();
    expect(() => optimizer.step([[1], [1]], options as never)).toThrow(OptimizerError);
    expect(() => optimizer.step([[1], [1]], options as never)).toThrow(message);
    expect([optimizer.readParam('a')[0], optimizer.stats().step]).toEqual([1, 0]);
  });
});

describe('groups', () => {
  test('have their own options, and their parameters their own counts', () => {
    const data = Float64Array.of(0);
    const groups = [
      { params: [{ name: 'a', data }] },
      { params: [{ name: 'b', data: data.slice() }], lr: 2 },
    ];
    const optimizer = new ReferenceOptimizer({ rule: adam({ lr: 1, eps: 0 }), groups });
    optimizer.step([[5], [5]]);
    optimizer.step([[5], [5]], { skip: ['a'] });
    optimizer.step([[5], [5]]);
    // With a constant gradient each step of Adam is η, at each own count.
    expect(optimizer.readParam('a')[0]).toBeCloseTo(-2, 12);
    expect(optimizer.readParam('b')[0]).toBeCloseTo(-6, 12);
  });
});

describe('the loss scale', () => {
  const make = (config: object) =>
    new ReferenceOptimizer({ rule: rmsprop(), params: [{ name: 'w', data: Float64Array.of(1) }], ...config });

  test('backs off to 2⁻²⁴ and no further, and the next good step is a good one', () => {
    const optimizer = make({ lossScale: 'dynamic' });
    for (let step = 0; step < 200; step++) optimizer.step([[Infinity]]);
    expect(optimizer.stats()).toMatchObject({ lossScale: 2 ** -24, skipped: 200 });
    optimizer.step([[2 ** -24]]);
    expect(optimizer.readParam('w')[0]).toBeCloseTo(1 - 0.001 / Math.sqrt(0.1), 6);
  });

  test('stays where it began below that', () => {
    const optimizer = make({ lossScale: { init: 2 ** -30, growthInterval: 1 } });
    optimizer.step([[NaN]]);
    expect(optimizer.stats().lossScale).toBe(2 ** -30);
    optimizer.step([[1]]);
    expect(optimizer.stats().lossScale).toBe(2 ** -29);
    optimizer.step([[NaN]]);
    expect(optimizer.stats().lossScale).toBe(2 ** -29);
  });

  test('does not overshoot the floor, whatever the factor', () => {
    const optimizer = make({ lossScale: { init: 2 ** -23, backoffFactor: 0.1 } });
    optimizer.step([[NaN]]);
    expect(optimizer.stats().lossScale).toBe(2 ** -24);
  });

  test('is a float32 in the twin of the kernels', () => {
    const optimizer = make({ precision: 'f32', lossScale: { init: 1, backoffFactor: 0.3 } });
    optimizer.step([[NaN]]);
    optimizer.step([[NaN]]);
    expect(optimizer.stats().lossScale).toBe(Math.fround(Math.fround(0.3) * Math.fround(0.3)));
  });
});

test.each([NaN, Infinity])('without a limit nothing is clipped, even where a gradient is %s', (bad) => {
  const params = [{ name: 'w', data: Float32Array.of(1) }];
  const optimizer = new ReferenceOptimizer({ rule: sgd(), skipNonFinite: true, params });
  optimizer.step([[bad]]);
  expect(optimizer.stats()).toMatchObject({ skipped: 1, gradNorm: bad, clipFactor: 1 });
});

test('the norm of a NaN and an infinity is NaN, also of two tensors, as on the GPU', () => {
  for (const bad of [
    [NaN, Infinity],
    [Infinity, NaN],
    [Infinity, 1],
  ]) {
    const params = bad.map((_, k) => ({ name: `${k}`, data: Float32Array.of(1) }));
    const optimizer = new ReferenceOptimizer({ rule: sgd(), maxGradNorm: 1, params });
    optimizer.step(bad.map((value) => [value]));
    expect(optimizer.stats().gradNorm).toBe(bad.includes(NaN) ? NaN : Infinity);
  }
});
