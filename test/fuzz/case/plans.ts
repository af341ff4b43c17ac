import type { Random } from '../../../proof/random.js';
import {
  type KernelOptions,
  type LearningRate,
  type OptimizerSettings,
  type Parameter,
  type Rule,
  type RuleName,
  adamw,
  rules,
  schedules,
} from '../../../src/index.js';
import { type MatrixRuleName, matrixRules } from '../../../src/rules/matrix-registry.js';
import { softSign } from '../../support/own-rule.js';

/** The rules that plans have: the library's, and one of a user's own. */
export const RULES = { ...rules, ...matrixRules, softSign } as const;

/** Of the rule that steps what is no matrix, beside one that steps nothing else. */
const OTHERS_RATE = 0.02;

/** Schedules that a plan may ask for. */
export const SCHEDULES = ['cosine', 'decay', 'plateau'] as const;

/** A learning rate: a number, or a schedule, of which everybody who asks for it gets one of his own. */
export type RatePlan = number | { readonly kind: (typeof SCHEDULES)[number]; readonly lr: number };

/** Learning rates that plans have. */
export const RATES = [1e-3, 1e-4, 0.01, 0.1, 0.5] as const;
/** Of a schedule, so much above one of {@link RATES}. */
export const SCHEDULE_RATE = 0.01;

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

/** How weights and gradients lie in memory. */
export type DtypePlan = Pick<Parameter, 'dtype' | 'gradDtype' | 'gradScale'>;

/** A tensor, without its place. */
export interface TensorPlan extends DtypePlan {
  readonly name: string;
  readonly length: number;
  /** Lengths of its axes, where its rule is one of matrices and it is one. */
  readonly shape?: readonly number[];
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
  /** Whether it is one of the rule of what is no matrix, whatever it has. */
  readonly isOthers?: boolean;
  readonly tensors: readonly TensorPlan[];
}

/** An optimizer, without its buffers. */
export interface OptimizerPlan {
  readonly rule: RuleName | MatrixRuleName | 'softSign';
  readonly options: Readonly<Record<string, unknown>>;
  readonly lr: RatePlan;
  readonly settings: OptimizerSettings;
  /** The shape of its step kernels, on which no bit depends. */
  readonly kernel: KernelOptions;
  /** Whether it tells of its steps by `onStep`. */
  readonly isHeard: boolean;
  readonly groups: readonly GroupPlan[];
  /** Groups that may be added. */
  readonly extra: readonly GroupPlan[];
  readonly isInArena: boolean;
  /** Whether gradients are small multiples of 1/16, whose sums of squares are exact in any order. */
  readonly hasExactNorms: boolean;
  readonly placeSeed: number;
  /** Whether tensors of the case begin at whole lanes, where nothing packs them: fewer kernels, where those of the first plan do. */
  readonly isAligned: boolean;
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
  const others = rule === 'muon' ? { others: adamw({ lr: OTHERS_RATE }) } : {};
  return (RULES[rule] as unknown as (given: object) => Rule)({ ...options, ...others, lr: makeRate(lr) });
}

/** A learning rate by a seed, for what is drawn as a call is made. */
export function drawRate(random: Random): RatePlan {
  const lr = random.pick(RATES);
  return random.uniform() < 0.75 ? lr : { kind: random.pick(SCHEDULES), lr: lr + SCHEDULE_RATE };
}
