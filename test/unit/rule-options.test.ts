import { describe, expect, test } from 'vitest';
import {
  type AdamOptions,
  OptimizerError,
  ReferenceOptimizer,
  adam,
  adamw,
  conventions,
  ftrl,
  lars,
  novograd,
  scheduleFreeSgd,
  sgd,
} from '../../src/index.js';
import { resolveAverages } from '../../src/averages/registry.js';
import { resolveGradientOptions } from '../../src/engine/input/options/gradient-options.js';
import { quote } from '../../src/errors.js';
import { fitsFloat32 } from '../../src/float32.js';
import { optionsOfOtherKernels } from '../../src/kernel/rule-layout.js';
import { ruleFactories } from '../../src/rules/registry.js';
import { checkRule, overrideRule } from '../../src/rules/rule.js';
import { errorOf } from '../support/error-of.js';

const LARGEST = 3.4028234663852886e38;

describe('numbers that float32 cannot hold', () => {
  test.each([
    [0, true],
    [-0, true],
    [2 ** -126, true],
    // Rounds up to the smallest normal number.
    [2 ** -126 * (1 - 2 ** -26), true],
    [2 ** -127, false],
    [1e-46, false],
    [-1e-40, false],
    [LARGEST, true],
    [LARGEST * (1 + 2 ** -26), true],
    [LARGEST * (1 + 2 ** -24), false],
    [1e39, false],
    [NaN, false],
    [Infinity, false],
  ])('%s: %s', (value, fits) => {
    expect(fitsFloat32(value)).toBe(fits);
  });

  test('any numeric option of any rule is refused, with the value and the remedy', async () => {
    for (const [name, factory] of ruleFactories) {
      for (const [option, spec] of Object.entries(factory.declaration.options)) {
        const small = Array.isArray(spec.default) ? spec.default.map(() => 1e-46) : 1e-46;
        for (const value of [small, 1e39]) {
          if (!spec.accepts(value)) continue;
          const error = await errorOf(() => factory({ [option]: value }));
          expect(error.code).toBe('invalid-option');
          expect(error.message).toContain(`${name}: ${option} is ${quote(value)}; give `);
        }
      }
    }
  });

  test.each([
    [() => adam({ eps: 1e-46 }), 'adam: eps is 1e-46; give 0, or a magnitude from 1.18e-38 on'],
    [() => sgd({ lr: 1e39 }), 'sgd: lr is 1e+39; give a magnitude below 3.4e38'],
    [() => adam({ betas: [1e-40, 0.9] }), 'adam: betas is [1e-40, 0.9]; give 0, or'],
    [() => lars({ trustCoefficient: 1e-39 }), 'lars: trustCoefficient is 1e-39; give 0, or'],
    [() => ftrl({ l2: 3e38 }), 'ftrl: the scalar l2_twice is 6e+38; give a number below 3.4e38'],
    [() => overrideRule(sgd(), { lr: 1e-45 }), 'sgd: lr is 1e-45; give 0, or'],
    [() => resolveAverages({ ema: { decay: 1e-46 } }), 'ema: decay is 1e-46; give 0, or'],
    [
      () => resolveAverages({ swa: { start: 1e39, period: 1 } }),
      'swa: start is 1e+39; give an integer from 1 to 16777216.',
    ],
    [
      () => resolveGradientOptions({ maxGradNorm: 1e39 }),
      'config: maxGradNorm is 1e+39; give a number > 0 that float32 can hold, or Infinity for no limit.',
    ],
    [
      () => resolveGradientOptions({ gradScale: 1e-46 }),
      'config: gradScale is 1e-46; give a finite number > 0 that float32 can hold.',
    ],
  ])('%s', async (make, message) => {
    const error = await errorOf(make);
    expect(error.code).toBe('invalid-option');
    expect(error.message).toContain(message);
  });

  test('a schedule that returns one is named with its step, and the step is not made', async () => {
    const data = Float32Array.of(1);
    const make = (lr: (step: number) => number) =>
      new ReferenceOptimizer({ rule: sgd({ lr }), params: [{ name: 'w', data }] });
    const falling = make((step) => (step === 0 ? 0.5 : 1e-45));
    falling.step([[1]]);
    const error = await errorOf(() => falling.step([[1]]));
    expect(error.message).toContain(
      'the lr schedule returned 1e-45 at step 1; give 0, or a magnitude from 1.18e-38',
    );
    expect(data[0]).toBe(0.5);
    expect(falling.stats().step).toBe(1);
    expect((await errorOf(() => make(() => 1e39).step([[1]]))).message).toContain(
      'returned 1e+39 at step 0; give a',
    );
    expect((await errorOf(() => make(() => NaN).step([[1]]))).message).toContain(
      'make it return a finite number ≥ 0',
    );
  });

  test('a decay that only the schedule makes too large is refused, too', async () => {
    const rule = adamw({ lr: () => 1e30, weightDecay: 1e30 });
    const optimizer = new ReferenceOptimizer({ rule, params: [{ name: 'w', data: Float32Array.of(1) }] });
    expect((await errorOf(() => optimizer.step([[1]]))).message).toContain(
      'adamw: with lr 1e+30, the scalar decay is',
    );
  });
});

describe('options are values', () => {
  test('undefined means not given: the default of the rule, or of whom a group belongs to', () => {
    expect(adam({ lr: undefined } as never).options.lr).toBe(0.001);
    const rule = adam({ lr: 0.1, betas: [0.5, 0.6] });
    expect(overrideRule(rule, { lr: undefined, betas: undefined }).options).toEqual(rule.options);
    const optimizer = new ReferenceOptimizer({
      rule,
      groups: [{ params: [{ name: 'w', data: Float32Array.of(1) }], lr: undefined, eps: 0.5 }],
    });
    expect(optimizer.groups[0]!.options).toMatchObject({ lr: 0.1, betas: [0.5, 0.6], eps: 0.5 });
  });

  test('an unknown name is refused even without a value', async () => {
    expect((await errorOf(() => overrideRule(adam(), { rate: undefined }))).message).toContain('"rate"');
  });

  test("nobody's lists are shared, nor can they be changed", () => {
    const betas: [number, number] = [0.5, 0.6];
    const rule = adam({ betas });
    betas[0] = 0.9;
    expect(rule.options.betas).toEqual([0.5, 0.6]);
    for (const own of [rule, adam(), adam({ ...conventions.torch.adam })]) {
      expect(() => ((own.options.betas as unknown as number[])[0] = 0.1)).toThrow(TypeError);
      expect(() => ((own.options as { eps: number }).eps = 0.1)).toThrow(TypeError);
    }
    expect(() => ((adam.declaration.options['betas']!.default as number[])[0] = 0.1)).toThrow(TypeError);
    expect(adam().options.betas).toEqual([0.9, 0.999]);
    const group: AdamOptions = { betas };
    const grouped = overrideRule(adam(), group);
    betas[1] = 0;
    expect(grouped.options['betas']).toEqual([0.9, 0.6]);
  });

  test('holes are refused, lists of another realm are not', async () => {
    const holes = Object.assign(Array<number>(2), { 1: 0.6 }) as [number, number];
    expect((await errorOf(() => adam({ betas: holes }))).message).toContain(
      'betas is [undefined, 0.6]; give a pair',
    );
    expect(adam({ betas: new Proxy([0.5, 0.6], {}) as never }).options.betas).toEqual([0.5, 0.6]);
  });

  test('each option is read once, and what is inherited counts as its own', async () => {
    let reads = 0;
    const base = {
      get lr() {
        reads++;
        return 0.5;
      },
    };
    expect(adam(Object.create(base)).options.lr).toBe(0.5);
    expect(reads).toBe(1);
    expect(overrideRule(adam(), Object.create({ eps: 0.25 })).options['eps']).toBe(0.25);
    expect((await errorOf(() => adam(Object.create({ rate: 1 })))).message).toContain(
      'unknown option "rate"',
    );
    const failing = {
      get lr(): number {
        throw new Error('no');
      },
    };
    const error = await errorOf(() => adam(failing));
    expect(error.message).toBe('adam: lr cannot be read; give a plain value.');
    expect(error.cause).toMatchObject({ message: 'no' });
  });

  test.each([
    [new Map([['lr', 1]]), 'a Map'],
    [new Set(), 'a Set'],
    [[0.1], '[0.1]'],
    [new Float32Array(1), 'a Float32Array'],
    [new Date(0), 'a Date'],
    [Promise.resolve({}), 'a Promise'],
    [() => ({}), 'function'],
    [null, 'null'],
    [0.1, '0.1'],
  ])('%o is no object of options', async (given, quoted) => {
    const error = await errorOf(() => adam(given as never));
    expect(error.code).toBe('invalid-option');
    expect(error.message).toContain(`adam: options are ${quoted}`);
  });

  test('an average says what must be given', async () => {
    expect((await errorOf(() => resolveAverages({ ema: {} as never }))).message).toBe(
      'ema: decay is not given; give a number in [0, 1).',
    );
    expect((await errorOf(() => resolveAverages({ lookahead: { every: 5 } as never }))).message).toContain(
      'lookahead: alpha is not given; give a number in (0, 1]',
    );
    expect((await errorOf(() => resolveAverages({ swa: new Map() as never }))).message).toContain(
      'swa is a Map; give an object of start, period',
    );
  });
});

describe('rules that are none', () => {
  test.each([
    [adamw, 'rule is function adamw; call it: adamw().'],
    [Math.sqrt, 'rule is function sqrt; give e.g. adam({ lr: 1e-3 }).'],
    [undefined, 'rule is undefined; give e.g. adam({ lr: 1e-3 }).'],
    ['adam', 'rule is "adam"; give e.g. adam({ lr: 1e-3 }).'],
    [{ lr: 1 }, 'rule is { lr }; give e.g. adam({ lr: 1e-3 }).'],
    [
      JSON.parse(JSON.stringify(novograd())),
      'rule is a copy of "novograd" that lost its functions, as JSON does; keep its name and options, and make it anew: ' +
        'rules[name](options).',
    ],
  ])('%o', async (rule, message) => {
    const error = await errorOf(() => {
      checkRule(rule);
    });
    expect(error).toMatchObject({ code: 'invalid-config', message });
  });
});

describe('quote', () => {
  const self: unknown[] = [];
  self.push(self);
  const revoked = Proxy.revocable({}, {});
  revoked.revoke();
  const revokedList = Proxy.revocable([], {});
  revokedList.revoke();

  const unlisted = new Proxy(
    {},
    {
      ownKeys: () => {
        throw new Error('no');
      },
    },
  );
  const cases: readonly (readonly [value: unknown, text: string])[] = [
    [Object.create(null), '{  }'],
    [Object.assign(Object.create(null) as object, { a: 1 }), '{ a }'],
    [Symbol('s'), 'Symbol(s)'],
    [Object(Symbol('s')), 'a Symbol'],
    [revoked.proxy, 'an object that cannot be read'],
    [revokedList.proxy, 'an object that cannot be read'],
    [self, '[[[…]]]'],
    [[Symbol('s'), 1n, -0], '[Symbol(s), 1n, -0]'],
    [Object.assign(Array<number>(2), { 1: 1 }), '[undefined, 1]'],
    [{ constructor: 7 }, '{ constructor }'],
    [{ constructor: { name: Symbol('s') } }, '{ constructor }'],
    [
      {
        get constructor(): never {
          throw new Error('no');
        },
      },
      'an object that cannot be read',
    ],
    [unlisted, 'an object that cannot be read'],
    [Object.defineProperty(() => 1, 'name', { value: Symbol('s') }), 'function (anonymous)'],
    ['x'.repeat(1000), `"${'x'.repeat(200)}…"`],
    [
      Object.fromEntries(Array.from({ length: 9 }, (_, k) => [`k${k}`, k])),
      '{ k0, k1, k2, k3, k4, k5, k6, k7, … }',
    ],
    [new Map(), 'a Map'],
  ];

  // In one test, for the names of several would be made of values that cannot be read.
  test('says what it can of anything', () => {
    for (const [value, text] of cases) expect(quote(value)).toBe(text);
  });

  test('an error with a strange value is still an OptimizerError', () => {
    for (const value of [Symbol('s'), revoked.proxy, unlisted]) {
      expect(() => adam({ lr: value as never })).toThrow(OptimizerError);
      expect(() => adam(value as never)).toThrow(OptimizerError);
    }
  });
});

test('what needs other kernels is told in the names of options', () => {
  const made = adam({ weightDecay: 0.1 });
  expect(optionsOfOtherKernels(made, adam({ weightDecay: 0.2, lr: 1 }))).toEqual([]);
  expect(optionsOfOtherKernels(made, adam())).toEqual(['weightDecay']);
  const raw = adam({ weightDecayMode: 'raw', weightDecay: 0.1, eps: 1 });
  expect(optionsOfOtherKernels(made, raw)).toEqual(['weightDecayMode']);
  const both = optionsOfOtherKernels(adamw(), adamw({ cautious: true, cautionRescaled: true }));
  expect(both).toEqual(['cautious']);
  const corrected = adam({ amsgrad: true, amsgradCorrected: true, weightDecay: 0.1, betas: [0.1, 0.2] });
  expect(optionsOfOtherKernels(made, corrected)).toEqual(['amsgrad']);
});

test('schedule-free decays of 0 are refused by their own range', async () => {
  expect((await errorOf(() => scheduleFreeSgd({ momentum: 1e-46 }))).message).toContain(
    'momentum is 1e-46; give 0, or',
  );
});
