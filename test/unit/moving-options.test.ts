/** Schedules in the place of options' numbers. */
import { describe, expect, test } from 'vitest';
import {
  adafactor,
  adagrad,
  adam,
  adamw,
  defineRule,
  lamb,
  muon,
  option,
  rmsprop,
  sgd,
} from '../../src/index.js';
import { layoutOf } from '../../src/kernel/rule-layout.js';
import { movesOf, nameOfMove } from '../../src/rules/options/moving.js';
import { ruleAt } from '../../src/rules/options/rule-at.js';
import { overrideRule } from '../../src/rules/rule.js';
import { errorOf } from '../support/error-of.js';

const falling = (step: number) => 0.5 ** (step + 1);

describe('a rule with schedules', () => {
  const rule = adam({ lr: falling, betas: [0.9, falling], weightDecay: (step) => step });

  test('names them', () => {
    expect(movesOf(rule.options).map((move) => nameOfMove(move))).toEqual(['lr', 'weightDecay', 'betas[1]']);
  });

  test('is a rule of numbers at each step, the learning rate aside', () => {
    const at = ruleAt(rule, 2);
    expect(at.options).toEqual({ ...adam().options, lr: falling, betas: [0.9, 0.125], weightDecay: 2 });
    expect(Object.isFrozen(at.options) && Object.isFrozen(at.options['betas'])).toBe(true);
    expect(layoutOf(at).switches['DECAY_GRADIENT']).toBe(true);
    expect(layoutOf(ruleAt(rule, 0)).switches['DECAY_GRADIENT']).toBe(false);
  });

  test('is the same object while they give the same', () => {
    const staircase = adam({ eps: (step) => (step < 3 ? 0.5 : 0.25) });
    expect(ruleAt(staircase, 1)).toBe(ruleAt(staircase, 2));
    expect(ruleAt(staircase, 3)).not.toBe(ruleAt(staircase, 2));
    const two = adam({ betas: [() => 0.5, falling] });
    expect(ruleAt(two, 1).options['betas']).toEqual([0.5, 0.25]);
    expect(ruleAt(two, 2).options['betas']).toEqual([0.5, 0.125]);
    const plain = adam({ lr: falling });
    expect(ruleAt(plain, 4)).toBe(plain);
    expect(ruleAt(plain, 5)).toBe(plain);
  });

  test('keeps the state of all that they may come to', () => {
    const slotsOf = (momentum: number | ((step: number) => number)) =>
      layoutOf(rmsprop({ momentum })).slots.map(({ name }) => name);
    expect(slotsOf(0)).toEqual(['square_avg']);
    expect(slotsOf(() => 0)).toEqual(['square_avg', 'momentum_buffer']);
    const off = ruleAt(rmsprop({ momentum: () => 0 }), 0);
    expect(layoutOf(off).slots).toHaveLength(2);
    expect(layoutOf(off).switches['MOMENTUM']).toBe(false);
  });

  test('is overridden by numbers, and the other way round', () => {
    const mixed = overrideRule(rule, { weightDecay: 0.5, eps: falling });
    expect(movesOf(mixed.options).map((move) => nameOfMove(move))).toEqual(['lr', 'betas[1]', 'eps']);
    expect(overrideRule(mixed, { lr: 1, betas: [0, 0], eps: 1 }).standing).toBeUndefined();
  });

  test('is checked as others are: together, and at each step', async () => {
    expect((await errorOf(() => rmsprop({ nesterov: true }))).message).toContain('momentum');
    rmsprop({ nesterov: true, momentum: falling });
    for (const [value, complaint] of [
      [-1, 'returned -1 at step 7; make it return a number in [0, 1)'],
      [1, 'returned 1 at step 7'],
      ['0.5', 'returned "0.5" at step 7'],
      [undefined, 'returned undefined at step 7'],
      [1e-40, 'returned 1e-40 at step 7; give 0, or a magnitude'],
    ] as const) {
      const bad = adamw({ betas: [() => value as number, 0.5] });
      expect((await errorOf(() => ruleAt(bad, 7))).message).toContain(`the betas[0] schedule ${complaint}`);
    }
  });
});

test('what no step reads takes no schedule', async () => {
  for (const make of [
    () => adagrad({ initialAccumulator: falling as never }),
    () => adafactor({ eps: [falling, 0] as never }),
    () => muon({ eps: falling as never }),
    () => muon({ nsCoefficients: [falling, -1.5, 0.5] as never }),
    () => adam({ amsgrad: falling as never }),
    () => adam({ epsPlacement: falling as never }),
    () => adam({ betas: falling as never }),
    () => sgd({ maximize: falling as never }),
  ]) {
    const { code, message } = await errorOf(make);
    expect(code).toBe('invalid-option');
    expect(message).toContain('function falling');
  }
});

test('a rule may divide by its learning rate', () => {
  const divides = defineRule({
    name: 'divides',
    wgsl: 'fn update(w: lane, g: lane) -> lane { return w - g / h.inverse; }',
    options: option.common(0.1),
    scalars: (_, lr) => ({ inverse: 1 / lr }),
    reference: ({ sub, div }, { w, g, h }) => sub(w, div(g, h.inverse)),
  });
  expect(divides({ lr: falling }).standing).toMatchObject({ lr: 1 });
});

test('a rule that measures goes on measuring', () => {
  expect(layoutOf(ruleAt(lamb({ weightDecay: () => 0 }), 0)).tensor).toBeDefined();
});
