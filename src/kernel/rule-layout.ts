import type { Average } from '../averages/average.js';
import { type Codec, type StateForm, stateFormOf } from '../codecs/codec.js';
import { f32 } from '../codecs/f32.js';
import { type Masters, mastersOf } from '../codecs/masters.js';
import { stateCodec } from '../codecs/state-dtype.js';
import { powerOf } from '../float32.js';
import { OptimizerError, quote } from '../errors.js';
import type { RisingRate, RuleDeclaration } from '../rules/declaring/declaration.js';
import { type Side, sideLength } from '../rules/declaring/matrix-size.js';
import type { RuleOptions } from '../rules/options/common-options.js';
import type { MatrixIteration } from '../rules/declaring/matrix.js';
import { movesOf } from '../rules/options/moving.js';
import { type Rule, overrideRule, structureOf, tensorOf } from '../rules/rule.js';
import { scalarComplaint } from '../rules/declaring/scalar-complaint.js';
import type { TensorDeclaration } from '../rules/declaring/tensor.js';

/** A state slot that a rule's options, or its averages, need. */
export interface LayoutSlot {
  /** PyTorch's name of the state. */
  readonly name: string;
  /** Whether a tensor has one of it instead of one per element. */
  readonly perTensor: boolean;
  /** What of a tensor it has a number of, if neither of its elements nor of it as a whole. */
  readonly along?: Side;
  /** Value of every element before the first step. */
  readonly initial: number;
  /** How its elements lie in memory. */
  readonly codec: Codec;
}

/** What is done to gradients before the rule sees them. */
export interface GradientScaling {
  /** Factor on every gradient: accumulation, loss scale, clip by norm. */
  readonly multiplier: number;
  /** Least value after that; −Infinity for no limit. */
  readonly minValue: number;
  /** Largest value after that; Infinity for no limit. */
  readonly maxValue: number;
}

const UNSCALED: GradientScaling = { multiplier: 1, minValue: -Infinity, maxValue: Infinity };

type Switches = Readonly<Record<string, boolean>>;

/**
 * What a rule with its options means for kernels, state and reference: derived once, so that nobody derives it again.
 * Names of scalars and record fields, and the WGSL, are the same for all options of a rule; all else follows from them.
 */
export interface RuleLayout {
  readonly rule: Rule;
  /** The slots in use: the rule's in order of declaration, then those of the averages, then what keeps weights more exactly. */
  readonly slots: readonly LayoutSlot[];
  /** Names of those that have a number per element: the ones that step kernels bind. */
  readonly elementSlots: readonly string[];
  /** Of these, those that equations speak of. */
  readonly laneSlots: readonly string[];
  /** What keeps weights of 2 bytes more exactly, if that is wanted: loading and storing weights goes by it. */
  readonly masters: Masters | undefined;
  /** How the elements of such a slot lie in memory. */
  readonly codecOf: (slot: string) => Codec;
  /** How all of them lie together. */
  readonly stateForm: StateForm;
  /** Names of those that have one number per tensor. */
  readonly tensorSlots: readonly string[];
  /** Names of all slots that the WGSL speaks of lane by lane: it does of the rule's unused ones, too. */
  readonly laneVariables: readonly string[];
  /** Field names of the uniform struct `h`, in order; each is one f32. */
  readonly scalars: readonly string[];
  /** The scalars that are corrections 1 − β₁β₂⋯βₜ, in order, each with its rate; damping 0 is a rate that stays. */
  readonly corrections: readonly { readonly name: string; readonly rate: RisingRate }[];
  /** Values of all `override` switches: the template's, the rule's and those of its averages. */
  readonly switches: Switches;
  /** Of these, those of the template and the rule: what measuring a tensor needs. */
  readonly equationSwitches: Switches;
  /** The averages that are taken of the weights, in order. */
  readonly averages: readonly Average[];
  /** Names of the f32 fields of the WGSL struct `TensorRecord`: slots of whole tensors, then what `summarize` leaves. */
  readonly recordFields: readonly string[];
  /** What is measured of whole tensors, if the options ask for it. */
  readonly tensor: TensorDeclaration | undefined;
  /** How matrices are made orthogonal, if the rule is one of matrices. */
  readonly matrix: MatrixIteration | undefined;
  /** The slots in use that measuring reads: `measure`, and the weights. */
  readonly measuredSlots: readonly string[];
  /** What to evaluate with, if not with the weights: w + share·slot. */
  readonly evaluation: { readonly slot: string; readonly share: number } | undefined;
  /**
   * A step's scalars in float64, in order of their names, the standard ones first: what both the uniform buffer and the
   * reference are filled from. `decay` multiplies the weight: d with L2 and raw decay, ηd with decoupled decay.
   *
   * @param lr the learning rate in force.
   * @param t 1-based count of applied steps.
   * @throws OptimizerError `invalid-option` if one of the rule's own is NaN, or too large for a float32.
   */
  readonly values: (lr: number, t: number, scaling?: GradientScaling) => Record<string, number>;
}

/** The field of a record that tells the square root of its tensor's number of elements. */
export const ROOT_COUNT = 'root_count';

/** How many numbers a slot has of a tensor. */
export function slotLength(
  { perTensor, along }: Pick<LayoutSlot, 'perTensor' | 'along'>,
  { elementCount, shape }: { readonly elementCount: number; readonly shape?: readonly number[] | undefined },
): number {
  if (along) return sideLength(along, shape!);
  return perTensor ? 1 : elementCount;
}

/** Whether it has one per element: its elements lie, and move, as the tensor's do. */
export const isElementwise = ({ perTensor, along }: Pick<LayoutSlot, 'perTensor' | 'along'>): boolean =>
  !perTensor && !along;

const layouts = new WeakMap<Rule, RuleLayout>();

/** The layout of a rule; the same object each time. */
export function layoutOf(rule: Rule): RuleLayout {
  let layout = layouts.get(rule);
  if (!layout) {
    layout = deriveLayout(rule);
    layouts.set(rule, layout);
  }
  return layout;
}

function deriveLayout(rule: Rule): RuleLayout {
  const { declaration } = rule;
  // Where schedules are to be asked yet, the numbers that stand for them.
  const isMoving = movesOf(rule.options).some(({ option }) => option !== 'lr');
  const options = isMoving ? structureOf(rule) : (rule.options as RuleOptions);
  const averages = rule.averages ?? [];
  const masters = rule.masterWeights && mastersOf(rule.masterWeights);
  const ofEquations = deriveSlots(rule, averages);
  const namesOf = (list: readonly LayoutSlot[]) => list.filter(isElementwise).map(({ name }) => name);
  const slots = masters
    ? [...ofEquations, { name: masters.slot, perTensor: false, initial: 0, codec: masters.codec }]
    : ofEquations;
  const [elementSlots, laneSlots] = [namesOf(slots), namesOf(ofEquations)];
  const codecs = new Map(slots.map(({ name, codec }) => [name, codec]));
  const declared = declaration.slots
    .filter(({ perTensor, along }) => perTensor !== true && !along)
    .map(({ name }) => name);
  const ofTensors = declaration.slots.filter(({ perTensor }) => perTensor === true).map(({ name }) => name);
  const { tensor, evaluation } = declaration;
  // Names and rates are the same for each learning rate; 1 is one that may be divided by.
  const corrections = Object.entries(declaration.scalars(options, 1)).flatMap(([name, rate]) =>
    typeof rate === 'number' ? [] : [{ name, rate }],
  );
  rejectClashes(rule, masters);
  const equationSwitches = { ...templateSwitches(declaration, options), ...declaration.switches(options) };
  const averageSwitches = averages.map((average) => average.declaration.switches(average.options));
  const averageScalars: Record<string, number> = {};
  for (const average of averages) Object.assign(averageScalars, average.declaration.scalars(average.options));
  const values = (lr: number, t: number, scaling = UNSCALED): Record<string, number> => {
    const { weightDecay, weightDecayMode } = options;
    const decay = weightDecayMode === 'decoupled' ? lr * weightDecay : weightDecay;
    const ofRule = declaration.scalars(options, lr);
    const complaint = scalarComplaint({ decay, ...ofRule });
    if (complaint !== undefined) {
      throw new OptimizerError('invalid-option', `${rule.name}: with lr ${lr}, ${complaint}`);
    }
    const scalars: Record<string, number> = {
      decay,
      t,
      grad_multiplier: scaling.multiplier,
      min_grad_value: scaling.minValue,
      max_grad_value: scaling.maxValue,
    };
    for (const [name, value] of Object.entries(ofRule)) {
      scalars[name] = typeof value === 'number' ? value : correction(value, t);
    }
    return Object.assign(scalars, averageScalars);
  };
  return {
    rule,
    slots,
    elementSlots,
    laneSlots,
    masters,
    codecOf: (slot) => codecs.get(slot)!,
    stateForm: stateFormOf([f32, ...codecs.values()]),
    tensorSlots: slots.filter(({ perTensor }) => perTensor).map(({ name }) => name),
    laneVariables: [...new Set([...declared, ...laneSlots])],
    scalars: Object.keys(values(1, 1)),
    corrections,
    switches: Object.assign({}, equationSwitches, ...averageSwitches) as Switches,
    equationSwitches,
    averages,
    recordFields: [...ofTensors, ...(tensor?.values ?? []), ...(tensor?.hasRootCount ? [ROOT_COUNT] : [])],
    tensor: tensorOf(rule),
    matrix: declaration.matrix?.iteration?.(options),
    measuredSlots: elementSlots.filter(
      (name) => tensor && (tensor.reads.includes(name) || name === masters?.slot),
    ),
    evaluation: evaluation && { slot: evaluation.slot, share: evaluation.share(options) },
    values,
  };
}

function deriveSlots(rule: Rule, averages: readonly Average[]): LayoutSlot[] {
  const options = structureOf(rule);
  const { declaration, stateDtype = 'f32' } = rule;
  const ofRule = declaration.slots
    .filter(({ usedBy }) => usedBy?.(options) ?? true)
    .map(({ name, perTensor = false, along, isExact = false, isNonNegative, initial }) => ({
      name,
      perTensor,
      ...(along && { along }),
      initial: initial?.(options) ?? 0,
      // What is evaluated with is added to weights.
      codec:
        perTensor || along || isExact || name === declaration.evaluation?.slot
          ? f32
          : stateCodec(stateDtype, isNonNegative),
    }));
  const ofAverages = averages.map(({ declaration: { slot } }) => ({
    name: slot,
    perTensor: false,
    initial: 0,
    codec: f32,
  }));
  return [...ofRule, ...ofAverages];
}

/** @throws OptimizerError `invalid-config` if an average, or what keeps weights, has the name of something of the rule's. */
function rejectClashes(rule: Rule, masters: Masters | undefined): void {
  const { name, declaration, averages = [] } = rule;
  const options = structureOf(rule);
  const ofRule = new Set([
    ...declaration.slots.map((slot) => slot.name),
    ...Object.keys(declaration.switches(options)),
    ...Object.keys(declaration.scalars(options, 1)),
  ]);
  const others = averages.map(({ declaration: { name: what, slot, switches, scalars }, options: own }) => ({
    what,
    names: [slot, ...Object.keys(switches(own)), ...Object.keys(scalars(own))],
  }));
  if (masters) others.push({ what: 'masterWeights', names: [masters.slot] });
  for (const { what, names } of others) {
    const clash = names.find((one) => ofRule.has(one));
    if (clash === undefined) continue;
    throw new OptimizerError(
      'invalid-config',
      `${quote(clash)} is a name of both ${name} and ${what}; name it otherwise in the rule.`,
    );
  }
}

/** The switches of `shaders/incoming.wgsl`, which every rule has. */
function templateSwitches(declaration: RuleDeclaration, options: RuleOptions): Record<string, boolean> {
  const { weightDecay, weightDecayMode, maximize } = options;
  const decays = (...modes: string[]) => weightDecay > 0 && modes.includes(weightDecayMode);
  const decaysWeight = declaration.decaysWeight(options);
  return {
    MAXIMIZE: maximize,
    DECAY_GRADIENT: decays('l2'),
    DECAY_WEIGHT: decays('decoupled', 'raw') && !decaysWeight,
  };
}

/**
 * 1 − β₁β₂⋯βₜ in float64. Of a rising rate the product is multiplied out until nothing is left of it or of dⁱ. That
 * takes some thousand factors at most, whatever β: where d is near 1 the rates stay near β/2.
 *
 * @param t 1-based count of applied steps.
 */
export function correction({ beta, damping }: RisingRate, t: number): number {
  if (damping === 0) return 1 - powerOf(beta, t);
  let product = 1;
  let i = 0;
  while (i < t && product > 2 ** -54 && damping ** i > 2 ** -54) product *= beta * (1 - damping ** ++i / 2);
  return 1 - product * powerOf(beta, t - i);
}

const switchKeys = new WeakMap<RuleLayout, string>();

/**
 * The switches as text, in the same order in all layouts of a kind, and how weights decay: that says whether a column's own
 * learning rate is in it.
 */
function switchKey(layout: RuleLayout): string {
  let key = switchKeys.get(layout);
  if (key === undefined) {
    const { weightDecayMode } = layout.rule.options;
    switchKeys.set(layout, (key = JSON.stringify([layout.switches, weightDecayMode, layout.matrix])));
  }
  return key;
}

/** Whether neighbours may be stepped as one tensor: not where something is measured of each, nor where elements are numbered. */
export const joinsNeighbours = ({ tensor, rule }: RuleLayout): boolean =>
  tensor === undefined && rule.seed === undefined;

/** Whether two layouts of one kind have the same kernels. */
export function haveSameSwitches(a: RuleLayout, b: RuleLayout): boolean {
  return switchKey(a) === switchKey(b);
}

/** The slots that only one of two rules of a kind keeps; and what else is kept by them. */
export function otherState(
  before: Rule,
  after: Rule,
): { readonly needed: string[]; readonly left: string[] } {
  const has = (rule: Rule) => {
    const { slots, tensor } = layoutOf(rule);
    return [...slots.map(({ name }) => quote(name)), ...(tensor ? ['norms of whole tensors'] : [])];
  };
  const [a, b] = [has(before), has(after)];
  return { needed: b.filter((name) => !a.includes(name)), left: a.filter((name) => !b.includes(name)) };
}

/**
 * The names of the options by which one rule needs other kernels than another of its kind; none if one kernel serves both.
 * They are those that do it by themselves; if it takes several together, all that differ.
 */
export function optionsOfOtherKernels(before: Rule, after: Rule): string[] {
  const key = (rule: Rule) => switchKey(layoutOf(rule));
  if (key(before) === key(after)) return [];
  const names = Object.keys(after.options).filter(
    (name) => name !== 'lr' && quote(before.options[name]) !== quote(after.options[name]),
  );
  const alone = names.filter((name) => {
    try {
      return key(overrideRule(before, { [name]: after.options[name] })) !== key(before);
    } catch {
      // One that the others forbid is no case of its own.
      return false;
    }
  });
  return alone.length > 0 ? alone : names;
}
