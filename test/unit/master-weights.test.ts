/** What rounding to 2 bytes takes from weights, and what gives it back. */
import { describe, expect, inject, test } from 'vitest';
import { bf16 } from '../../src/codecs/bf16.js';
import { correctedWeight, correction, correctionOf } from '../../src/codecs/correction.js';
import { f16 } from '../../src/codecs/f16.js';
import { mastersOf } from '../../src/codecs/masters.js';
import { ReferenceOptimizer, adam, adamw, defineRule, option, sgd } from '../../src/index.js';
import { layoutOf } from '../../src/kernel/rule-layout.js';
import { withSettings } from '../../src/rules/rule.js';
import { bitDifference } from '../../proof/compare.js';
import { Random } from '../../proof/random.js';

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);
const bitsOf = (value: number): number => {
  float[0] = value;
  return bits[0]!;
};
const floatOf = (word: number): number => {
  bits[0] = word;
  return float[0]!;
};

/** Bits of float32: drawn ones, and such as are at and beside what is rounded another way. */
function* words(): Generator<number> {
  const random = new Random(inject('seed'));
  for (let k = 0; k < 20_000; k++) yield Math.floor(random.uniform() * 2 ** 32);
  for (const high of [0, 1, 0x7f, 0x80, 0x3f7f, 0x3f80, 0x3fff, 0x7f7e, 0x7f7f]) {
    for (const sign of [0, 0x8000]) {
      for (const middle of [0, 0x8000, 0x10000, 129, 258, 0x8000 - 129, 0x7fff - 129, 127 * 258]) {
        for (const step of [-1, 0, 1]) yield (((high | sign) << 16) + middle + step) >>> 0;
      }
    }
  }
}

describe('a correction', () => {
  test('gives a weight back but for 129 units in its last place', () => {
    for (const word of words()) {
      const weight = floatOf(word);
      const copy = bf16.round!(weight);
      const code = correctionOf(weight);
      expect(Number.isInteger(code) && Math.abs(code) <= 127, `${weight}`).toBe(true);
      const got = correctedWeight(copy, code);
      if (!Number.isFinite(copy)) expect(got).toBe(copy);
      else {
        const off = Math.abs((bitsOf(got) & 0x7fff_ffff) - (word & 0x7fff_ffff));
        expect(off, `${weight} became ${got}`).toBeLessThanOrEqual(129);
        expect(Math.sign(1 / got)).toBe(Math.sign(1 / weight));
      }
    }
  });

  test('and its copy are the same again where nothing was done', () => {
    for (const word of words()) {
      const weight = floatOf(word);
      const [copy, code] = [bf16.round!(weight), correctionOf(weight)];
      const got = correctedWeight(copy, code);
      expect(bf16.round!(got)).toBe(copy);
      expect(correctionOf(got)).toBe(code);
    }
  });

  test('of another weight makes no NaN', () => {
    for (const copy of [0, -0, 2 ** -133, Infinity, -Infinity, 3.3895314e38, NaN]) {
      for (const code of [-127, 127]) {
        const got = correctedWeight(copy, code);
        if (!Number.isFinite(copy)) expect(got).toBe(copy);
        else expect(Math.abs(got - copy)).toBeLessThanOrEqual(Math.max(Math.abs(copy) * 2 ** -8, 2 ** -133));
      }
    }
  });

  test('is a byte', () => {
    const values = Float32Array.of(-127, 0, 127, 5, -1);
    const bytes = correction.encode(values);
    expect([...bytes]).toEqual([129, 0, 127, 5, 255, 0, 0, 0]);
    expect(bitDifference(correction.decode(bytes.buffer, 5), values)).toBeUndefined();
  });
});

test('a float32 counts as long as its copy is what it was rounded to', () => {
  const masters = mastersOf('f32');
  for (const codec of [f16, bf16]) {
    for (const word of words()) {
      const weight = floatOf(word);
      const copy = codec.round!(weight);
      expect(masters.weightOf(copy, masters.keptOf(weight), codec)).toBe(weight);
      const other = codec.round!(weight + Math.max(Math.abs(weight), 1));
      if (!Object.is(other, copy)) expect(masters.weightOf(other, weight, codec)).toBe(other);
    }
  }
});

test('the slot comes behind all others, and equations do not see it', () => {
  const plain = layoutOf(adam());
  const kept = layoutOf(withSettings(adam(), { masterWeights: 'f32', stateDtype: 'int8' }));
  expect(kept.elementSlots).toEqual([...plain.elementSlots, 'master']);
  expect(kept.laneSlots).toEqual(plain.elementSlots);
  expect(kept.laneVariables).toEqual(plain.laneVariables);
  expect(kept.codecOf('master').name).toBe('f32');
  const split = layoutOf(withSettings(sgd(), { masterWeights: 'split' }));
  expect(split.elementSlots).toEqual(['correction']);
  expect(split.stateForm).toMatchObject({ blockLength: 4, cutLength: 4, isScaled: false });
  const clashing = defineRule({
    name: 'clashing',
    wgsl: 'fn update(w: lane, g: lane) -> lane { return w - g; }',
    options: option.common(0.01),
    slots: [{ name: 'master' }],
    scalars: () => ({}),
    reference: ({ sub }, { w, g }) => sub(w, g),
  });
  expect(() => layoutOf(withSettings(clashing(), { masterWeights: 'f32' }))).toThrow(
    '"master" is a name of both clashing and masterWeights',
  );
});

describe('the reference', () => {
  const weights = Float64Array.of(1, -2, 0.3, 1e-3);
  const gradients = [Float64Array.of(1, 0.5, -1, 0.25)];

  test('steps exact weights, and gives copies of them', () => {
    for (const dtype of ['f16', 'bf16'] as const) {
      const codec = { f16, bf16 }[dtype];
      const first = weights.map((w) => codec.round!(w));
      const kept = new ReferenceOptimizer({
        rule: adamw({ lr: 1e-4 }),
        masterWeights: 'f32',
        params: [{ name: 'w', dtype, data: weights.slice() }],
      });
      const exact = new ReferenceOptimizer({
        rule: adamw({ lr: 1e-4 }),
        params: [{ name: 'w', data: first }],
      });
      for (let k = 0; k < 100; k++) {
        kept.step(gradients);
        exact.step(gradients);
      }
      const want = exact.readParam('w');
      expect(kept.readState('w', 'master')).toEqual(want);
      expect(kept.readParam('w')).toEqual(want.map((w) => codec.round!(w)));
    }
  });

  test('refuses what the optimizer refuses', () => {
    const make = (settings: object, parameter: object = { dtype: 'bf16' }) => {
      const params = [{ name: 'w', data: weights.slice(), ...parameter }];
      return () => new ReferenceOptimizer({ rule: adam(), params, masterWeights: 'f32', ...settings });
    };
    expect(make({})).not.toThrow();
    expect(make({ masterWeights: 'bf16' })).toThrow('masterWeights is "bf16"; give "f32" or "split"');
    expect(make({ stochasticRounding: true })).toThrow('leave one of them out');
    expect(make({}, {})).toThrow('all weights are float32');
    expect(make({ masterWeights: 'split' }, { dtype: 'f16' })).toThrow('takes "bf16"');
  });

  test('takes no rows that share what is rounded together with others', () => {
    const data = new Float64Array(12);
    const make = (settings: object, parameter: object) =>
      new ReferenceOptimizer({
        rule: adam(),
        params: [{ name: 'w', data, rowLength: 6, ...parameter }],
        ...settings,
      });
    const split = { dtype: 'bf16' as const };
    for (const [settings, own, blockLength] of [
      [{ stateDtype: 'int8' }, {}, 64],
      [{ stateDtype: 'bf16' }, { rowLength: 3 }, 2],
      [{ masterWeights: 'split' }, split, 4],
    ] as const) {
      const message = `rows of a multiple of ${blockLength} only`;
      expect(() => make(settings, { ...own, constraint: 'unit-rows' })).toThrow(message);
      const masked = () => make(settings, { ...own, rowMask: [1, 0, 1, 0] });
      if (blockLength === 64) expect(masked).toThrow(message);
      else expect(masked).not.toThrow();
      const indices = Uint32Array.of(0);
      const gradient = { indices, values: new Float64Array(6) };
      expect(() => make(settings, { ...own, grad: gradient })).toThrow(message);
      expect(() => make(settings, own).step([gradient])).toThrow(message);
    }
  });

  test('keeps state that is never negative so', () => {
    const optimizer = new ReferenceOptimizer({
      rule: adam(),
      stateDtype: 'int8',
      params: [{ name: 'w', data: weights.slice() }],
    });
    const dict = optimizer.stateDict();
    dict.state['w']!['exp_avg_sq']![2] = -0.5;
    expect(() => optimizer.loadStateDict(dict)).toThrow(
      'exp_avg_sq: value 2 is -0.5; give none below 0, where this state never is.',
    );
    expect([...optimizer.readState('w', 'exp_avg_sq')]).toEqual([0, 0, 0, 0]);
  });
});
