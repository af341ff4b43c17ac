import { describe, expect, it } from 'vitest';
import { ema } from '../../src/averages/ema.js';
import { makeAverage } from '../../src/averages/average.js';
import { lookahead } from '../../src/averages/lookahead.js';
import { layoutOf } from '../../src/kernel/rule-layout.js';
import { bf16 } from '../../src/codecs/bf16.js';
import { f32 } from '../../src/codecs/f32.js';
import { adagrad } from '../../src/rules/adagrad.js';
import { adam } from '../../src/rules/adam.js';
import { adan } from '../../src/rules/adan.js';
import { ftrl } from '../../src/rules/ftrl.js';
import { nadam } from '../../src/rules/nadam.js';
import { novograd } from '../../src/rules/novograd.js';
import { type Rule, withSettings } from '../../src/rules/rule.js';
import { ruleFactories } from '../../src/rules/registry.js';
import { scheduleFreeAdamw } from '../../src/rules/schedule-free-adamw.js';
import { scheduleFreeSgd } from '../../src/rules/schedule-free-sgd.js';
import { sgd } from '../../src/rules/sgd.js';
import { yogi } from '../../src/rules/yogi.js';
import { measuring } from '../../src/stages/measure/measuring.js';

describe('layoutOf', () => {
  it('is derived once per rule', () => {
    const rule = adam();
    expect(layoutOf(rule)).toBe(layoutOf(rule));
    expect(layoutOf(adam())).not.toBe(layoutOf(rule));
  });

  it("lists the slots in use with what they start from, the rule's before the averages'", () => {
    const averages = [makeAverage(lookahead, { every: 5, alpha: 0.5 }), makeAverage(ema, { decay: 0.9 })];
    const { slots } = layoutOf(withSettings(yogi({ initialMoment: 2, initialAccumulator: 3 }), { averages }));
    expect(slots).toEqual([
      { name: 'exp_avg', perTensor: false, initial: 2, codec: f32 },
      { name: 'exp_avg_sq', perTensor: false, initial: 3, codec: f32 },
      { name: 'slow', perTensor: false, initial: 0, codec: f32 },
      { name: 'ema', perTensor: false, initial: 0, codec: f32 },
    ]);
    // What a rule may keep in fewer bits, but neither averages nor sums over all steps, nor what a tensor has one of.
    const names = (rule: Rule) =>
      layoutOf(withSettings(rule, { averages, stateDtype: 'bf16' })).slots.flatMap(({ name, codec }) =>
        codec === bf16 ? [name] : [],
      );
    expect(names(yogi())).toEqual(['exp_avg', 'exp_avg_sq']);
    expect(names(novograd())).toEqual(['exp_avg']);
    expect([adagrad(), ftrl(), scheduleFreeSgd(), sgd()].flatMap(names)).toEqual([]);
    expect(names(scheduleFreeAdamw())).toEqual(['exp_avg_sq']);
    expect(layoutOf(adam()).elementSlots).toEqual(['exp_avg', 'exp_avg_sq']);
    expect(layoutOf(adam({ amsgrad: true })).elementSlots).toEqual([
      'exp_avg',
      'exp_avg_sq',
      'max_exp_avg_sq',
    ]);
    expect(layoutOf(adam()).laneVariables).toEqual(['exp_avg', 'exp_avg_sq', 'max_exp_avg_sq']);
  });

  it('keeps slots of whole tensors apart', () => {
    const layout = layoutOf(novograd());
    expect(layout.elementSlots).toEqual(['exp_avg']);
    expect(layout.tensorSlots).toEqual(['exp_avg_sq']);
    expect(layout.recordFields).toEqual(['exp_avg_sq', 'max_exp_avg_sq', 'denominator']);
    expect(layout.measuredSlots).toEqual([]);
    expect(layout.tensor?.quantityCount).toBe(1);
    expect(layoutOf(adam()).tensor).toBeUndefined();
  });

  it('fills its scalars in order of their names', () => {
    const layout = layoutOf(
      withSettings(adam({ betas: [0.5, 0.75] }), { averages: [makeAverage(ema, { decay: 0.75 })] }),
    );
    const values = layout.values(0.25, 2, { multiplier: 3, minValue: -2, maxValue: 4 });
    expect(Object.keys(values)).toEqual(layout.scalars);
    expect(values).toMatchObject({
      t: 2,
      lr: 0.25,
      grad_multiplier: 3,
      min_grad_value: -2,
      max_grad_value: 4,
      bias_correction1: 0.75,
      bias_correction2: 1 - 0.75 ** 2,
      ema_one_minus_decay: 0.25,
    });
  });

  it('names the corrections with their rates, those that rise and those that stay', () => {
    const { corrections } = layoutOf(nadam({ betas: [0.9, 0.99] }));
    expect(corrections.map(({ rate }) => rate.damping > 0)).toContain(true);
    expect(corrections.map(({ rate }) => rate.damping > 0)).toContain(false);
    expect(layoutOf(adam({ betas: [0.9, 0.99] })).corrections).toEqual([
      { name: 'bias_correction1', rate: { beta: 0.9, damping: 0 } },
      { name: 'bias_correction2', rate: { beta: 0.99, damping: 0 } },
    ]);
  });

  it("keeps the averages' switches out of the equation's", () => {
    const rule = withSettings(adam({ maximize: true }), {
      averages: [makeAverage(ema, { decay: 0.9, warmup: true })],
    });
    const { switches, equationSwitches } = layoutOf(rule);
    expect(switches).toMatchObject({ MAXIMIZE: true, AMSGRAD: false, EMA_WARMUP: true });
    expect(Object.keys(equationSwitches)).not.toContain('EMA_WARMUP');
  });

  it('has the template decay neither for nothing nor what the rule decays by itself', () => {
    const decaying = (...options: Parameters<typeof adan>) => {
      const { DECAY_GRADIENT, DECAY_WEIGHT } = layoutOf(adan(...options)).switches;
      return [DECAY_GRADIENT, DECAY_WEIGHT];
    };
    expect(decaying({ weightDecay: 0, weightDecayMode: 'l2' })).toEqual([false, false]);
    expect(decaying({ weightDecay: 0.5, weightDecayMode: 'l2' })).toEqual([true, false]);
    expect(decaying({ weightDecay: 0, weightDecayMode: 'decoupled' })).toEqual([false, false]);
    for (const weightDecayMode of ['decoupled', 'raw'] as const) {
      expect(decaying({ weightDecay: 0.5, weightDecayMode, proximal: false })).toEqual([false, true]);
    }
    expect(decaying({ weightDecay: 0.5, weightDecayMode: 'decoupled', proximal: true })).toEqual([
      false,
      false,
    ]);
  });

  it('has the stage that measures, of every rule that measures tensors', () => {
    const measured = ruleFactories.filter(([, { declaration }]) => declaration.tensor);
    expect(measured.map(([name]) => name)).toEqual(expect.arrayContaining(['lamb', 'lars', 'novograd']));
    for (const [name, { declaration }] of measured) expect(declaration.tensor!.stage, name).toBe(measuring);
  });

  it('says what to evaluate with', () => {
    expect(layoutOf(scheduleFreeSgd({ momentum: 0.5 })).evaluation).toEqual({ slot: 'z_offset', share: -1 });
    expect(layoutOf(adam()).evaluation).toBeUndefined();
  });
});
