import type { Random } from '../../proof/random.js';
import {
  type LearningRate,
  type OptimizerSettings,
  type Rule,
  type RuleName,
  rules,
  schedules,
} from '../../src/index.js';
import { ruleFactories } from '../../src/rules/registry.js';
import { findOtherScalars } from '../../src/kernel/rate-scalars.js';
import { layoutOf } from '../../src/kernel/rule-layout.js';

/** A learning rate: a number, or a schedule, of which everybody who asks for it gets one of his own. */
export type RatePlan = number | { readonly kind: 'cosine' | 'decay' | 'plateau'; readonly lr: number };

/** What a tensor of rows is told of them. */
export interface RowsPlan {
  /** Elements per row. */
  readonly length: number;
  /** Rows that there is room for behind those that there are. */
  readonly spare: number;
  /** Elements between its rows of weights, and of gradients. */
  readonly dataGap?: number;
  readonly gradGap?: number;
  readonly hasMask?: boolean;
  /** Per column, a factor on the learning rate. */
  readonly columns?: readonly number[];
}

/** A tensor, without its place. */
export interface TensorPlan {
  readonly name: string;
  readonly length: number;
  /** Elements of the first of two ranges that its weights and gradients lie in. */
  readonly cut?: number;
  readonly hasMicro: boolean;
  /** If it has rows; one with a sparse gradient does. */
  readonly rows?: RowsPlan;
  readonly sparse?: { readonly entryCount: number; readonly hasCount: boolean };
  readonly constraint?: { readonly min?: number; readonly max?: number } | 'unit-rows';
}

/** Tensors with options of their own. */
export interface GroupPlan {
  readonly options: Readonly<Record<string, number>>;
  readonly lr?: RatePlan;
  readonly tensors: readonly TensorPlan[];
}

/** An optimizer, without its buffers. */
export interface OptimizerPlan {
  readonly rule: RuleName;
  readonly options: Readonly<Record<string, unknown>>;
  readonly lr: RatePlan;
  readonly settings: OptimizerSettings;
  readonly groups: readonly GroupPlan[];
  /** Groups that may be added. */
  readonly extra: readonly GroupPlan[];
  readonly isInArena: boolean;
  /** Whether gradients are small multiples of 1/16, whose sums of squares are exact in any order. */
  readonly hasExactNorms: boolean;
  readonly placeSeed: number;
}

/** The learning rate of a plan, a schedule of one's own. */
export function makeRate(plan: RatePlan): LearningRate {
  if (typeof plan === 'number') return plan;
  const { kind, lr } = plan;
  if (kind === 'cosine') return schedules.cosine({ lr, tMax: 20, etaMin: lr / 10 });
  if (kind === 'plateau') return schedules.reduceOnPlateau({ lr, patience: 1, factor: 0.5 });
  return (step) => lr / Math.sqrt(step + 1);
}

/** The rule of a plan; its schedule is the caller's own. */
export function makeRule({ rule, options, lr }: Pick<OptimizerPlan, 'rule' | 'options' | 'lr'>): Rule {
  return (rules[rule] as unknown as (given: object) => Rule)({ ...options, lr: makeRate(lr) });
}

/** A rule with options of its own kernels. */
type RulePlan = Pick<OptimizerPlan, 'rule' | 'options'>;

/** What optimizers are drawn from for a stretch of cases: compiling kernels takes longer than all else. */
export interface Palette {
  readonly rules: readonly RulePlan[];
  readonly settings: readonly OptimizerSettings[];
}

const RULES_PER_PALETTE = 2;

/**
 * Of a few rules and settings.
 *
 * @param turn palettes that follow each other have all rules in turn.
 */
export function drawPalette(random: Random, turn: number): Palette {
  const first = RULES_PER_PALETTE * turn;
  return {
    rules: Array.from({ length: RULES_PER_PALETTE }, (_, k) =>
      drawRule(random, ruleFactories[(first + k) % ruleFactories.length]!),
    ),
    settings: Array.from({ length: 3 }, () => drawSettings(random)),
  };
}

/** Few kernels, for cases that have a device of their own. */
export const SIMPLE: Palette = {
  rules: [{ rule: 'sgd', options: {} }],
  settings: [{ skipNonFinite: true }, {}],
};

export function drawOptimizer(random: Random, palette: Palette): OptimizerPlan {
  const chosen = random.pick(palette.rules);
  const settings = random.pick(palette.settings);
  const hasAverage = 'ema' in settings || 'swa' in settings || 'lookahead' in settings;
  const { tensor, evaluation } = layoutOf(makeRule({ ...chosen, lr: 0.1 }));
  const isSimple = palette === SIMPLE;
  const maySparse = !isSimple && !tensor && !evaluation && !hasAverage && random.uniform() < 0.35;
  const hasMicro = random.uniform() < 0.15;
  const isInArena = !hasMicro && !maySparse && random.uniform() < 0.2;
  const names = { next: 0 };
  // Of a tensor in two ranges, norms are summed in another order than the model's.
  const mayCut = !hasMicro && !isInArena && !tensor && settings.maxGradNormPerTensor === undefined;
  const columns = findOtherScalars(makeRule({ ...chosen, lr: 0.1 })).length === 0;
  const mayHave = {
    rows: !isInArena && !isSimple,
    layouts:
      !isSimple &&
      !isInArena &&
      !tensor &&
      settings.maxGradNormPerTensor === undefined &&
      random.uniform() < 0.3,
    columns,
  };
  const group = () => drawGroup(random, { maySparse, hasMicro, mayCut, isSimple, mayHave, names });
  const groups = Array.from({ length: random.uniform() < 0.5 ? 1 : 1 + random.integer(4) }, group);
  return {
    ...chosen,
    lr: drawRate(random),
    settings,
    groups,
    extra: isInArena ? [] : Array.from({ length: random.integer(3) }, group),
    isInArena,
    hasExactNorms: settings.maxGradNorm !== undefined,
    placeSeed: random.integer(2 ** 31),
  };
}

export function drawRate(random: Random): RatePlan {
  const lr = random.pick([1e-4, 1e-3, 0.01, 0.1, 0.5]);
  const u = random.uniform();
  if (u > 0.25) return lr;
  return { kind: random.pick(['cosine', 'decay', 'plateau']), lr: lr + 0.01 };
}

function drawRule(random: Random, [rule, factory]: (typeof ruleFactories)[number]): RulePlan {
  const specs = Object.entries(factory.declaration.options).filter(([name]) => name !== 'lr');
  const [name, spec] = random.pick(specs);
  const options =
    random.uniform() < 0.5 && spec.samples.length > 0 ? { [name]: random.pick(spec.samples) } : {};
  try {
    makeRule({ rule, options, lr: 0.1 });
    return { rule, options };
  } catch {
    // Some options are only allowed together with others.
    return { rule, options: {} };
  }
}

function drawSettings(random: Random): OptimizerSettings {
  const chance = (share: number) => random.uniform() < share;
  const control = random.uniform();
  const dynamic = { init: random.pick([1, 4, 1024]), growthFactor: 2, growthInterval: 1 + random.integer(4) };
  return {
    ...(control < 0.25 && { maxGradNorm: random.pick([0.5, 3, 100]) }),
    ...(control > 0.15 && control < 0.35 && { skipNonFinite: true }),
    ...(control > 0.2 && control < 0.35 && chance(0.3) && { maxConsecutiveSkips: 2 }),
    ...((control < 0.08 || (control >= 0.35 && control < 0.5)) && { lossScale: dynamic }),
    ...(control >= 0.5 && chance(0.15) && { lossScale: 8 }),
    ...(control >= 0.25 && chance(0.15) && { maxGradNormPerTensor: random.pick([0.05, 0.5, 5]) }),
    ...(chance(0.12) && { measureGradNorm: true }),
    ...(chance(0.1) && { maxGradValue: 0.25 }),
    ...(chance(0.05) && { minGradValue: random.pick([-0.1, 0.01]) }),
    ...(chance(0.15) && { gradScale: random.pick([0.5, 0.3, 3]) }),
    ...(chance(0.4) && drawAverages(random)),
  };
}

function drawAverages(random: Random): OptimizerSettings {
  const ema = { decay: random.pick([0, 0.5, 0.9]), startStep: random.integer(3) };
  const swa = { start: 1 + random.integer(3), period: 1 + random.integer(2) };
  const lookahead = { every: 1 + random.integer(3), alpha: random.pick([0.5, 1]) };
  return random.pick<OptimizerSettings>([
    { ema },
    { ema },
    { ema: { ...ema, warmup: true } },
    { ema: { ...ema, init: 'first-update' } },
    { swa },
    { lookahead },
    { ema, swa, lookahead },
  ]);
}

interface GroupNeeds {
  readonly maySparse: boolean;
  readonly hasMicro: boolean;
  readonly mayCut: boolean;
  readonly isSimple: boolean;
  readonly mayHave: { readonly rows: boolean; readonly layouts: boolean; readonly columns: boolean };
  readonly names: { next: number };
}

function drawGroup(random: Random, needs: GroupNeeds): GroupPlan {
  const count = random.uniform() < 0.6 ? 1 + random.integer(3) : 1 + random.integer(8);
  const tensors = Array.from({ length: count }, () => drawTensor(random, needs));
  const u = needs.isSimple ? 1 : random.uniform();
  return {
    options: u < 0.2 ? { weightDecay: 0.1 } : {},
    ...(u > 0.6 && { lr: drawRate(random) }),
    tensors,
  };
}

function drawTensor(random: Random, needs: GroupNeeds): TensorPlan {
  const { maySparse, hasMicro, mayCut, mayHave, names } = needs;
  const name = `w${names.next++}`;
  const constraint = mayHave.layouts && random.uniform() < 0.2 ? drawLimits(random) : {};
  const isSparse = maySparse && random.uniform() < 0.5;
  if (isSparse || (mayHave.rows && random.uniform() < 0.5)) {
    const length = random.pick([1, 2, 3, 4, 7, 16]);
    // Few numbers, so that some tensors have the same rows.
    const rowCount = random.uniform() < 0.5 ? 6 : 1 + random.integer(30);
    const rows = drawRows(random, length, needs, isSparse);
    const isUnit = mayHave.layouts && random.uniform() < 0.15;
    const entryCount = 1 + random.integer(random.uniform() < 0.1 ? 80 : 12);
    const isCut = mayCut && !isSparse && rowCount > 1 && random.uniform() < 0.15;
    return {
      name,
      length: length * rowCount,
      hasMicro: hasMicro && !isSparse,
      rows,
      ...(isUnit ? { constraint: 'unit-rows' as const } : constraint),
      ...(isCut && { cut: length * (1 + random.integer(rowCount - 1)) }),
      ...(isSparse && { sparse: { entryCount, hasCount: random.uniform() < 0.4 } }),
    };
  }
  const length = 1 + random.integer(random.pick([4, 16, 70, 600]));
  const isCut = mayCut && length > 1 && random.uniform() < 0.15;
  return { name, length, hasMicro, ...constraint, ...(isCut && { cut: 1 + random.integer(length - 1) }) };
}

function drawLimits(random: Random): Pick<TensorPlan, 'constraint'> {
  const [min, max] = [-0.5 * random.uniform(), 0.5 * random.uniform()];
  return { constraint: random.pick([{ min }, { max }, { min, max }]) };
}

function drawRows(
  random: Random,
  length: number,
  { hasMicro, mayHave }: GroupNeeds,
  isSparse: boolean,
): RowsPlan {
  const chance = (share: number) => random.uniform() < share;
  // What is given for micro-batches is as long as the gradients.
  const spare = !hasMicro && chance(0.4) ? 1 + random.integer(8) : 0;
  if (!mayHave.layouts) return { length, spare };
  return {
    length,
    spare,
    ...(chance(0.3) && { dataGap: 1 + random.integer(4) }),
    ...(!isSparse && chance(0.3) && { gradGap: 1 + random.integer(4) }),
    ...(!isSparse && chance(0.25) && { hasMask: true }),
    ...(mayHave.columns &&
      chance(0.25) && { columns: Array.from({ length }, () => random.pick([1, 0.5, 2, 0.3])) }),
  };
}
