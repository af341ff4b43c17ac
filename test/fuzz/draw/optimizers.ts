import fc from 'fast-check';
import { findOtherScalars } from '../../../src/kernel/rate-scalars.js';
import { stateCodec } from '../../../src/codecs/state-dtype.js';
import { layoutOf } from '../../../src/kernel/rule-layout.js';
import { type OptimizerPlan, makeRule } from '../case/plans.js';
import { chance, rates, record, seeds } from './basics.js';
import { type Palette, SIMPLE } from './palettes.js';
import { type TensorKinds, groups, planGroup } from './tensors.js';

/** Optimizers of a palette. */
export function optimizers(palette: Palette): fc.Arbitrary<OptimizerPlan> {
  const drawn = record({
    groups: fc.oneof(
      fc.array(groups, { minLength: 1, maxLength: 1 }),
      fc.array(groups, { minLength: 1, maxLength: 4 }),
    ),
    extra: fc.array(groups, { maxLength: 2 }),
    isSparse: chance(60),
    hasMicro: chance(30),
    isInArena: chance(20),
    hasLayouts: chance(50),
    isHeard: chance(30),
    lr: rates,
    settings: fc.constantFrom(...palette.settings),
    rule: fc.constantFrom(...palette.rules),
    placeSeed: seeds,
  });
  return drawn.map(({ rule, settings, lr, placeSeed, ...rest }): OptimizerPlan => {
    const isSimple = palette === SIMPLE;
    const made = makeRule({ ...rule, lr: 0.1 });
    const { tensor, evaluation } = layoutOf(made);
    const hasAverage = 'ema' in settings || 'swa' in settings || 'lookahead' in settings;
    const hasMicro = rest.hasMicro && palette.hasMicro;
    // What lies together is stepped together: rows one by one where they are whole blocks, and pieces of whole lanes.
    const all = palette.dtypes.flatMap(({ dtype, gradDtype }) => [dtype, gradDtype]);
    const isDrawn = settings.stochasticRounding === true;
    const isHalf = all.some((each) => each === 'f16' || each === 'bf16');
    const isRounded = settings.stateDtype !== undefined || isHalf || settings.masterWeights !== undefined;
    const blockLength = Math.max(
      stateCodec(settings.stateDtype ?? 'f32').blockLength,
      settings.masterWeights === 'split' || isDrawn ? 4 : isHalf ? 2 : 1,
    );
    const isEven = palette.rowLengths.every((length) => length % blockLength === 0);
    const mayBeSparse =
      isEven && palette.dtypes.every(({ gradDtype }) => gradDtype === undefined || gradDtype === 'i32');
    const sparse = rest.isSparse && palette.hasSparse && mayBeSparse && !tensor && !evaluation && !hasAverage;
    const isPlain = all.every((each) => each === undefined);
    const isInArena = rest.isInArena && !hasMicro && !sparse && isPlain;
    // Of a tensor in two ranges, or of rows that lie apart, norms are summed in another order than the model's.
    const isSummed = tensor !== undefined || settings.maxGradNormPerTensor !== undefined;
    const kinds: TensorKinds = {
      sparse,
      micro: hasMicro,
      cut: !hasMicro && !isInArena && !isSummed && !isRounded,
      rows: !isInArena && !isSimple,
      layouts: rest.hasLayouts && palette.hasLayouts && isEven && !isInArena && !isSummed,
      columns:
        rule.rule !== 'adafactor' &&
        [made, made.others ?? made].every((each) => findOtherScalars(each).length === 0),
      masks: rule.rule !== 'adafactor',
      matrices: made.others && (made.declaration.matrix!.sharesOptions ? 'of the same options' : 'apart'),
      options: palette.hasOptions,
      rowLengths: palette.rowLengths,
      dtypes: palette.dtypes,
      isUnit: !isDrawn,
    };
    let named = 0;
    const plan = (group: (typeof rest.groups)[number], joins = false) =>
      planGroup(group, kinds, joins, () => `w${named++}`);
    return {
      ...rule,
      lr,
      settings,
      kernel: palette.kernel,
      isHeard: rest.isHeard,
      groups: rest.groups.map((group) => plan(group)),
      extra: isInArena ? [] : rest.extra.map((group) => plan(group, true)),
      isInArena,
      hasExactNorms: settings.maxGradNorm !== undefined,
      placeSeed,
      isAligned: palette.isAligned,
    };
  });
}
