import fc from 'fast-check';
import type { KernelOptions, OptimizerSettings, Rule, RuleFactory } from '../../../src/index.js';
import { layoutOf } from '../../../src/kernel/rule-layout.js';
import { withSettings } from '../../../src/rules/rule.js';
import { type DtypePlan, type OptimizerPlan, RULES, makeRule } from '../case/plans.js';
import { chance, perhaps, record } from './basics.js';
import { applyDtypes, dtypes } from './dtypes.js';

/** A rule with options of its own kernels. */
type RulePlan = Pick<OptimizerPlan, 'rule' | 'options'>;

/** What optimizers are drawn from for a stretch of cases: compiling kernels takes longer than all else. */
export interface Palette {
  readonly rules: readonly RulePlan[];
  readonly settings: readonly OptimizerSettings[];
  readonly kernel: KernelOptions;
  /** Whether some tensors have sparse gradients, where the rule allows them. */
  readonly hasSparse: boolean;
  /** Whether some tensors have rows that lie apart, masks, factors per column or constraints. */
  readonly hasLayouts: boolean;
  /** Whether some optimizers add up micro-batches. */
  readonly hasMicro: boolean;
  /** Whether tensors begin at whole lanes. */
  readonly isAligned: boolean;
  /** Whether groups have options of their own. */
  readonly hasOptions: boolean;
  /** Elements per row that tensors have. */
  readonly rowLengths: readonly number[];
  /** How weights and gradients of a tensor may lie in memory. */
  readonly dtypes: readonly DtypePlan[];
}

const RULES_PER_PALETTE = 1;
const SETTINGS_PER_PALETTE = 2;
/** Rules and their names. */
const FACTORIES = Object.entries(RULES) as [OptimizerPlan['rule'], RuleFactory][];

/** Few kernels, for cases that have a device of their own. */
export const SIMPLE: Palette = {
  rules: [{ rule: 'momentum', options: {} }],
  settings: [{ skipNonFinite: true }, {}],
  kernel: {},
  hasSparse: false,
  hasLayouts: false,
  hasMicro: true,
  isAligned: false,
  hasOptions: false,
  rowLengths: [1],
  dtypes: [{}],
};

/** The palette of a seed; those of seeds that follow each other have all rules in turn. */
export function paletteOf(seed: number): Palette {
  const rules = Array.from({ length: RULES_PER_PALETTE }, (_, k) =>
    ruleOf(FACTORIES[(RULES_PER_PALETTE * (seed >>> 0) + k) % FACTORIES.length]!),
  );
  const settings = Array.from({ length: SETTINGS_PER_PALETTE }, () => settingsOf);
  const palettes = record({
    rules: fc.tuple(...rules),
    settings: fc.tuple(...settings),
    kernel: fc.oneof({ arbitrary: fc.constant({}), weight: 2 }, { arbitrary: shapes, weight: 1 }),
    hasSparse: chance(60),
    hasLayouts: chance(60),
    hasMicro: chance(50),
    isAligned: chance(70),
    hasOptions: chance(50),
    rowLengths: fc.subarray([1, 2, 3, 4, 7, 16], { minLength: 2, maxLength: 2 }),
    isRounded: chance(40),
    stateDtype: fc.constantFrom('bf16' as const, 'int8' as const, 'int4' as const),
    kinds: perhaps(45, dtypes),
    evenRows: fc.subarray([2, 4, 16], { minLength: 2, maxLength: 2 }),
  }).map(({ isRounded, stateDtype, kinds, evenRows, ...drawn }): Palette => {
    const made = drawn.rules.map((rule) => makeRule({ ...rule, lr: 0.1 }));
    const isServed = made.some((rule) => layoutOf(rule).evaluation);
    const applied = kinds
      ? applyDtypes(kinds, isServed, drawn.settings)
      : { dtypes: [{}], settings: drawn.settings };
    // Rows of weights of 2 bytes are even where they move.
    const rowLengths = applied.dtypes.some(({ dtype }) => dtype) ? evenRows : drawn.rowLengths;
    const palette = { ...drawn, ...applied, rowLengths };
    if (!isRounded || !made.every(mayBeRounded)) return palette;
    // Optimizers of the other settings load what these have saved, and the other way round.
    const [first, ...others] = palette.settings;
    return { ...palette, settings: [{ ...first, stateDtype }, ...others] };
  });
  const [palette] = fc.sample(fc.noBias(palettes), { seed: seed | 0, numRuns: 1 });
  return palette!;
}

/** Whether some of its state is another in fewer bits. */
const mayBeRounded = (rule: Rule): boolean =>
  layoutOf(withSettings(rule, { stateDtype: 'bf16' })).slots.some(({ codec }) => codec.roundingError > 0);

const shapes: fc.Arbitrary<KernelOptions> = record({
  workgroupSize: fc.constantFrom(1, 7, 32, 256),
  lanesPerInvocation: fc.constantFrom(1, 2, 5),
  consecutive: fc.boolean(),
});

function ruleOf([rule, factory]: (typeof FACTORIES)[number]): fc.Arbitrary<RulePlan> {
  const choices = Object.entries(factory.declaration.options)
    .filter(([name]) => name !== 'lr')
    .flatMap(([name, { samples }]) =>
      samples.map((sample): RulePlan => ({ rule, options: { [name]: sample } })),
    )
    .filter((plan) => isAllowed(plan));
  const plain = { rule, options: {} };
  return choices.length === 0
    ? fc.constant(plain)
    : fc.oneof(fc.constant(plain), fc.constantFrom(...choices));
}

/** Some options are only allowed together with others. */
function isAllowed(plan: RulePlan): boolean {
  try {
    makeRule({ ...plan, lr: 0.1 });
    return true;
  } catch {
    return false;
  }
}

const averages: fc.Arbitrary<OptimizerSettings> = record({
  kind: fc.constantFrom('ema', 'ema', 'warmup', 'init', 'swa', 'lookahead', 'all'),
  ema: record({ decay: fc.constantFrom(0, 0.5, 0.9), startStep: fc.nat(2) }),
  swa: record({ start: fc.integer({ min: 1, max: 3 }), period: fc.integer({ min: 1, max: 2 }) }),
  lookahead: record({ every: fc.integer({ min: 1, max: 3 }), alpha: fc.constantFrom(0.5, 1) }),
}).map(({ kind, ema, swa, lookahead }): OptimizerSettings => {
  if (kind === 'warmup') return { ema: { ...ema, warmup: true } };
  if (kind === 'init') return { ema: { ...ema, init: 'first-update' } };
  if (kind === 'swa') return { swa };
  if (kind === 'lookahead') return { lookahead };
  return kind === 'all' ? { ema, swa, lookahead } : { ema };
});

const dynamicScales = record({
  init: fc.constantFrom(1, 4, 1024),
  growthFactor: fc.constant(2),
  growthInterval: fc.integer({ min: 1, max: 4 }),
});

const settingsOf: fc.Arbitrary<OptimizerSettings> = record({
  /** What the GPU decides about a step; some of it goes together. */
  control: fc.oneof<fc.MaybeWeightedArbitrary<string[]>[]>(
    { weight: 8, arbitrary: fc.constant(['clip', 'dynamic']) },
    { weight: 7, arbitrary: fc.constant(['clip']) },
    { weight: 10, arbitrary: fc.constant(['clip', 'skip']) },
    { weight: 10, arbitrary: fc.constant(['skip']) },
    { weight: 15, arbitrary: fc.constant(['dynamic']) },
    { weight: 50, arbitrary: fc.constant<string[]>([]) },
  ),
  maxGradNorm: fc.constantFrom(0.5, 3, 100),
  maxConsecutiveSkips: perhaps(20, fc.constant(2)),
  lossScale: dynamicScales,
  fixedScale: chance(15),
  maxGradNormPerTensor: perhaps(15, fc.constantFrom(0.05, 0.5, 5)),
  measureGradNorm: chance(12),
  maxGradValue: perhaps(10, fc.constant(0.25)),
  minGradValue: perhaps(5, fc.constantFrom(-0.1, 0.01)),
  gradScale: perhaps(15, fc.constantFrom(0.5, 0.3, 3)),
  average: perhaps(40, averages),
}).map((drawn): OptimizerSettings => {
  const has = (part: string) => drawn.control.includes(part);
  return {
    ...(has('clip') && { maxGradNorm: drawn.maxGradNorm }),
    ...(has('skip') && { skipNonFinite: true }),
    ...(has('skip') && drawn.maxConsecutiveSkips && { maxConsecutiveSkips: drawn.maxConsecutiveSkips }),
    ...(has('dynamic') && { lossScale: drawn.lossScale }),
    ...(drawn.control.length === 0 && drawn.fixedScale && { lossScale: 8 }),
    ...(!has('clip') && drawn.maxGradNormPerTensor && { maxGradNormPerTensor: drawn.maxGradNormPerTensor }),
    ...(drawn.measureGradNorm && { measureGradNorm: true }),
    ...(drawn.maxGradValue && { maxGradValue: drawn.maxGradValue }),
    ...(drawn.minGradValue && { minGradValue: drawn.minGradValue }),
    ...(drawn.gradScale && { gradScale: drawn.gradScale }),
    ...drawn.average,
  };
});
