import { describe, expect, expectTypeOf, test } from 'vitest';
import {
  type Rule,
  ReferenceOptimizer,
  correctionOf,
  definePart,
  defineRule,
  option,
} from '../../src/index.js';
import { layoutOf } from '../../src/kernel/rule-layout.js';
import { checkDeclaration, checkSource } from '../../src/rules/declaring/check-declaration.js';
import type { LooseSource } from '../../src/rules/declaring/merge-parts.js';
import { errorOf } from '../support/error-of.js';
import { softSign } from '../support/own-rule.js';
import { allRuleFactories } from '../support/all-rules.js';

const UPDATE = 'fn update(w: lane, g: lane) -> lane { return w - h.lr * g; }';

/** A sound declaration, for tests that spoil one thing of it. */
const sound = {
  name: 'mine',
  wgsl: UPDATE,
  options: option.common(0.1),
  scalars: (_: object, lr: number) => ({ lr }),
  reference: (f: never) => f,
};

/** Declares it with something replaced; what types would refuse, too. */
const declare = (changes: object) => () => defineRule({ ...sound, ...changes } as never);

describe('defineRule', () => {
  test('merges options, slots, switches and scalars of its parts', () => {
    const rule = softSign({ floored: true });
    expect(rule.name).toBe('softSign');
    expect(rule.options).toEqual({
      lr: 0.01,
      weightDecay: 0,
      weightDecayMode: 'l2',
      maximize: false,
      beta: 0.9,
      start: 0,
      floor: 1e-3,
      floored: true,
    });
    const layout = layoutOf(rule);
    expect(layout.scalars.slice(5)).toEqual(['lr', 'one_minus_beta', 'bias_correction', 'floor']);
    expect(layout.switches).toMatchObject({ FLOORED: true });
    expect(layout.corrections).toEqual([{ name: 'bias_correction', rate: { beta: 0.9, damping: 0 } }]);
  });

  test('types follow from the declaration', () => {
    expectTypeOf(softSign).parameter(0).exclude<undefined>().toHaveProperty('floored');
    expectTypeOf(softSign({ beta: 0.5 }).declaration.slots[0]!.name).toEqualTypeOf<'mean'>();
    expectTypeOf(softSign()).toExtend<Rule>();
    expectTypeOf(softSign().options.floored).toEqualTypeOf<boolean>();
    // @ts-expect-error: no such option
    expect(() => softSign({ flored: true })).toThrow('unknown option "flored"');
    // @ts-expect-error: a string is no number
    expect(() => softSign({ beta: '0.5' })).toThrow('beta is "0.5"');
  });

  test('a part that takes options which nobody declares does not compile', () => {
    const needing = definePart({
      wgsl: 'override NEAR: bool = false;',
      switches: (o: { readonly place: string }) => ({ NEAR: o.place === 'near' }),
    });
    const make = (options: ReturnType<typeof option.common>) =>
      defineRule({
        name: 'mine',
        wgsl: UPDATE,
        // @ts-expect-error: it takes `place`
        parts: [needing],
        options,
        scalars: (_, lr) => ({ lr }),
        reference: (_, { w }) => w,
      });
    expect(make(option.common(1))().options).not.toHaveProperty('place');
  });

  test('its function has the name of the rule', () => {
    expect(softSign.name).toBe('softSign');
  });

  test('the rule runs on the CPU', () => {
    const data = Float64Array.of(1);
    new ReferenceOptimizer({ rule: softSign({ lr: 0.5 }), params: [{ name: 'w', data }] }).step([[3]]);
    expect(data[0]).toBeCloseTo(1 - (0.5 * 3) / 3.001, 12);
  });

  test('parts of parts count once, inner ones are prepared first', () => {
    const order: string[] = [];
    const part = (name: string, parts: readonly ReturnType<typeof definePart>[] = []) =>
      definePart({
        wgsl: `fn ${name}_of(x: lane) -> lane { return x; }`,
        parts,
        scalars: () => ({ [name]: 1 }),
        prepare: () => {
          order.push(name);
          return {};
        },
      });
    const inner = part('inner');
    const rule = defineRule({ ...sound, parts: [part('left', [inner]), part('right', [inner])] } as never)();
    layoutOf(rule);
    rule.declaration.prepare({} as never, {}, {}, 1);
    expect(order.indexOf('inner')).toBe(0);
    expect(order.toSorted()).toEqual(['inner', 'left', 'right']);
    expect(layoutOf(rule).scalars.slice(5)).toEqual(['lr', 'left', 'right', 'inner']);
  });

  test.each([
    ['no record', () => defineRule(null as never), 'it is null; give what definePart returns'],
    ['no name', declare({ name: '' }), 'its name is ""; give letters, digits, _ and -'],
    ['no WGSL', declare({ wgsl: undefined }), 'wgsl is undefined; give the text of a shader'],
    [
      'no update',
      declare({ wgsl: '// fn update(w)' }),
      'wgsl has no function update; declare fn update(w: lane',
    ],
    ['a function twice', declare({ wgsl: UPDATE + UPDATE }), '"update" is declared twice'],
    ['no scalars', declare({ scalars: undefined }), 'scalars is missing; give e.g. (o, lr) => ({ lr })'],
    ['no reference', declare({ reference: 'x' }), 'reference is missing; give the equation on the CPU'],
    ['no common options', declare({ options: {} }), 'options lack lr; spread option.common(0.01)'],
    [
      'an option that is no spec',
      declare({ options: { ...option.common(1), beta: 0.9 } }),
      'option beta is 0.9; give a spec, e.g. option.number(0.9, 0, 1)',
    ],
    [
      'an option out of its range',
      declare({ options: { ...option.common(1), beta: option.number(2, 0, 1) } }),
      'the default 2 of option beta is not a number in [0, 1)',
    ],
    [
      'an option called params',
      declare({ options: { ...option.common(1), params: option.number(0.9, 0, 1) } }),
      'the option params has the name of the list of a group',
    ],
    ['slots of another kind', declare({ slots: ['m'] }), 'slots is ["m"]; give a list like'],
    [
      'a slot that is no identifier',
      declare({ slots: [{ name: '1st' }] }),
      'the slot "1st" is no identifier of WGSL',
    ],
    ['a slot that is a word', declare({ slots: [{ name: 'h' }] }), 'the slot "h" has the name of something'],
    ['a slot twice', declare({ slots: [{ name: 'm' }, { name: 'm' }] }), 'slots: "m" is declared twice'],
    [
      'a tensor slot without tensor',
      declare({ slots: [{ name: 'm', perTensor: true }] }),
      'slot "m" is per tensor; declare tensor, which updates it',
    ],
    [
      'a scalar that every rule has',
      declare({ scalars: () => ({ decay: 1 }) }),
      'the scalar "decay" has the name of something that every kernel has',
    ],
    ['NaN', declare({ scalars: () => ({ lr: NaN }) }), 'the scalar lr is NaN; give a number below 3.4e38'],
    [
      'too much for float32',
      declare({ scalars: () => ({ lr: 1e39 }) }),
      'with its default options, the scalar lr is 1e+39; give a number below 3.4e38',
    ],
    [
      'a rate of 1',
      declare({ scalars: () => ({ lr: 1, c: correctionOf(1) }) }),
      'the scalar c is the correction of 1 with damping 0; give rates in [0, 1)',
    ],
    [
      'a switch that is no override',
      declare({ switches: () => ({ FAST: true }) }),
      'wgsl does not declare the switch FAST; write override FAST: bool = false;',
    ],
    [
      'a switch of the template',
      declare({ switches: () => ({ MAXIMIZE: true }) }),
      'the switch "MAXIMIZE" has the name',
    ],
    [
      'a switch that is no boolean',
      declare({ switches: () => ({ FAST: 1 }) }),
      'the switch FAST is 1; give true or false',
    ],
    [
      'an evaluation slot that is none',
      declare({ evaluation: { slot: 'z', share: () => 1 } }),
      '"z" is no slot; its slots are []',
    ],
    [
      "a part's scalar twice",
      declare({ parts: [definePart({ wgsl: '', scalars: () => ({ lr: 1 }) })] }),
      'scalars: "lr" is declared twice; leave one out, or name it otherwise',
    ],
    [
      "a part's option twice",
      declare({ parts: [definePart({ wgsl: '', options: { lr: option.number(1, 0) } })] }),
      'options: "lr" is declared twice',
    ],
    ['parts that are none', declare({ parts: 'denominator' }), 'parts is "denominator"; give a list'],
    ['a part that is none', declare({ parts: [7] }), 'parts[0]: it is 7; give what definePart returns'],
  ])('refuses %s', async (_, make, message) => {
    const error = await errorOf(make);
    expect(error).toMatchObject({ name: 'OptimizerError', code: 'invalid-rule' });
    expect(error.message).toContain(message);
  });

  test('an average may not have the name of a slot', async () => {
    const rule = defineRule({ ...sound, slots: [{ name: 'ema' }] } as never)();
    const make = () =>
      new ReferenceOptimizer({
        rule,
        ema: { decay: 0.5 },
        params: [{ name: 'w', data: Float64Array.of(1) }],
      });
    expect(await errorOf(make)).toMatchObject({
      code: 'invalid-config',
      message: '"ema" is a name of both mine and ema; name it otherwise in the rule.',
    });
  });

  test('numbers that options make too large are refused', async () => {
    const steep = defineRule({
      ...sound,
      options: { ...option.common(1), gain: option.number(1, 0) },
      scalars: (o: { readonly gain: number }, lr: number) => ({ lr: lr * o.gain ** 2 }),
    } as never) as (options: object) => Rule;
    expect(await errorOf(() => steep({ gain: 1e20 }))).toMatchObject({
      code: 'invalid-option',
      message: 'mine: the scalar lr is 1e+40; give a number below 3.4e38, where float32 ends.',
    });
    const scheduled = steep({ gain: 1e18, lr: () => 1e10 });
    expect((await errorOf(() => layoutOf(scheduled).values(1e10, 1))).message).toContain(
      'mine: with lr 10000000000, the scalar',
    );
  });
});

test.each(allRuleFactories)('%s is declared as others must be', (_, { declaration }) => {
  const whole = declaration as LooseSource;
  checkSource(whole);
  checkDeclaration(declaration, [whole]);
});

test('definePart refuses what is no part', async () => {
  expect(await errorOf(() => definePart({ wgsl: 1 } as never))).toMatchObject({
    code: 'invalid-rule',
    message: 'part: wgsl is 1; give the text of a shader.',
  });
  expect((await errorOf(() => definePart({ wgsl: '', switches: {} } as never))).message).toBe(
    'part: switches is {  }; give a function.',
  );
});
