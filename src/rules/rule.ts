import { OptimizerError } from '../errors.js';
import type { Average } from '../averages/average.js';
import type { Arithmetic } from './arithmetic.js';
import type { TensorDeclaration } from './tensor.js';
import {
  type LearningRate,
  type OptionSpec,
  type OptionSpecs,
  type UpdateDecayMode,
  type WeightDecayMode,
  boolean,
  choice,
  learningRate,
  number,
  resolveOptions,
} from './options.js';

/** Options that every rule takes. */
export interface CommonOptions<Mode extends UpdateDecayMode = WeightDecayMode> {
  /** Learning rate η ≥ 0, or a schedule `(step) => η`, step 0-based. The default is the rule's. */
  lr?: LearningRate;
  /** Weight decay d ≥ 0. Default 0, unless the rule says otherwise. */
  weightDecay?: number;
  /**
   * How weight decay enters: `'l2'` (default, unless the rule says otherwise) g ← g + dw; `'decoupled'` w ← w − ηdw, then
   * the update; `'raw'` w ← w − dw.
   */
  weightDecayMode?: Mode;
  /** Ascend instead of descend: the gradient is negated first. Default false. */
  maximize?: boolean;
}

/** Common options of rules whose equation has weight decay in the update; `weightDecayMode` is `'update'` by default. */
export type UpdateDecayOptions = CommonOptions<UpdateDecayMode>;

/** What every rule's options hold once defaults are filled in. */
export type ResolvedCommonOptions<Mode extends UpdateDecayMode = WeightDecayMode> = Readonly<
  Required<CommonOptions<Mode>>
>;

/** One state array of a rule. */
export interface SlotDeclaration<Slot extends string, O> {
  /** PyTorch's name of the state. */
  readonly name: Slot;
  /** Whether these options need the slot; a variant that does not need it does not allocate or bind it. */
  readonly usedBy?: (options: O) => boolean;
  /** Value of every element before the first step. Default 0. */
  readonly initial?: (options: O) => number;
  /** Whether the tensor has one of it instead of one per element; then `tensor.summarize` updates it. Starts at 0. */
  readonly perTensor?: boolean;
}

/** What the reference of an equation sees of one element: the same things that its WGSL twin sees. */
export interface ElementStep<
  N,
  Slot extends string,
  Scalar extends string,
  Switch extends string,
  Value extends string = string,
> {
  /** The weight, decoupled decay already applied. */
  readonly w: N;
  /** The gradient, sign and L2 decay already applied. */
  readonly g: N;
  /** State of this element, to be updated in place. */
  readonly s: Record<Slot, N>;
  /** What is known of the whole tensor, if the rule measures it. */
  readonly tensor: Readonly<Record<Value, N>>;
  /** This step's scalars: what `prepare` returned, or the `h` of the WGSL where there is none. */
  readonly h: Readonly<Record<Scalar, N>>;
  /** The variant's switches: the `override`s of the WGSL. */
  readonly on: Readonly<Record<Switch, boolean>>;
}

/**
 * A decay rate that rises towards β: it is βᵢ = β(1 − ½dⁱ) at the i-th applied step, as NAdam's momentum (Dozat 2016).
 */
export interface RisingRate {
  /** β, in [0, 1). */
  readonly beta: number;
  /** d, in [0, 1): how slowly the rate rises; with 0 it is β from the start. */
  readonly damping: number;
}

/** Of rules that train with other weights than they are to be evaluated with: w + share·slot is what to evaluate with. */
export interface EvaluationDeclaration<Slot extends string, O> {
  readonly slot: Slot;
  readonly share: (options: O) => number;
}

/** What every rule's `h` has beside the scalars that it declares. */
export type StandardScalar = 'decay' | 't' | 'grad_multiplier' | 'max_grad_value';

/**
 * A rule, declared (O: its options with defaults filled in): everything the engine derives bindings, uniforms, pipelines, tests and menus from. Its
 * equation stands twice, in `wgsl` and in `reference`, and nowhere else.
 */
export interface RuleDeclaration<
  O extends ResolvedCommonOptions<UpdateDecayMode> = ResolvedCommonOptions<UpdateDecayMode>,
  Slot extends string = string,
  Scalar extends string = string,
  Switch extends string = string,
  Correction extends string = string,
  Prepared extends string = Scalar,
  Value extends string = string,
> {
  readonly name: string;
  /** Source of `shaders/rules/<name>.wgsl`. */
  readonly wgsl: string;
  readonly options: OptionSpecs<O>;
  /** Checks what no single option can check; returns the complaint, or nothing. */
  readonly complaint?: (options: O) => string | undefined;
  readonly slots: readonly SlotDeclaration<Slot, O>[];
  /** What `Optimizer.eval` puts in place of the weights; nothing if they are what to evaluate with. */
  readonly evaluation?: EvaluationDeclaration<Slot, O>;
  /** Whether the rule applies decoupled or raw weight decay itself, from `h.decay`; the template then does not. */
  readonly decaysWeight?: (options: O) => boolean;
  /** The `override` constants of the WGSL for these options. */
  readonly switches: (options: O) => Record<Switch, boolean>;
  /**
   * The scalars of a step but for what depends on its number, in float64; rounded once to the float32 uniform.
   *
   * @param lr this step's learning rate.
   */
  readonly scalars: (options: O, lr: number) => Record<Scalar, number>;
  /**
   * The decay rates β whose corrections 1 − βᵗ the equation needs, each under the name of its scalar; of a rate that
   * rises, 1 − β₁β₂⋯βₜ. t is the 1-based count of applied steps, which only the GPU knows when steps may be skipped;
   * so a rule never sees t itself but as `h.t`, a float32, exact up to 2²⁴.
   */
  readonly corrections?: (options: O) => Record<Correction, number | RisingRate>;
  /**
   * Twin of the WGSL's `prepare()`: what is the same for all elements, from the scalars of a step.
   *
   * @param t 1-based count of applied steps.
   */
  readonly prepare?: <N>(
    f: Arithmetic<N>,
    h: Readonly<Record<Scalar | Correction | StandardScalar, N>>,
    on: Readonly<Record<Switch, boolean>>,
    t: number,
  ) => Record<Prepared, N>;
  /** The equation on the CPU: updates `s` in place and returns the new weight. */
  readonly reference: <N>(f: Arithmetic<N>, element: ElementStep<N, Slot, Prepared, Switch, Value>) => N;
  /** For equations with norms: what is measured of each tensor before its elements are updated. */
  readonly tensor?: TensorDeclaration<Slot, Prepared, Switch, Value, O>;
}

/** The options of some rule, complete: the common ones, and whatever else the rule has. */
export type RuleOptions = ResolvedCommonOptions<UpdateDecayMode> & Readonly<Record<string, unknown>>;

/** A rule with its options: what `adam({ lr: 1e-3 })` returns and `Optimizer.create` takes. Plain and frozen. */
export interface Rule {
  /** The rule's name, e.g. `'adam'`. */
  readonly name: string;
  /** Its options, complete: defaults are filled in. */
  readonly options: RuleOptions;
  /** The declaration behind it. */
  readonly declaration: RuleDeclaration;
  /** Averages of the weights that are taken with it; an optimizer's config adds them. */
  readonly averages?: readonly Average[];
}

/** What a rule measures of whole tensors, if its options ask for it. */
export function tensorOf({ declaration, options }: Rule): TensorDeclaration | undefined {
  const { tensor } = declaration;
  return tensor?.usedBy?.(options) === false ? undefined : tensor;
}

/** Makes a rule from options; the declaration is there for tools that iterate over rules. */
export interface RuleFactory<O extends CommonOptions<UpdateDecayMode>> {
  (options?: O): Rule;
  readonly declaration: RuleDeclaration;
}

const DECAY_MODES: readonly WeightDecayMode[] = ['l2', 'decoupled', 'raw'];

interface CommonSpecs<Mode extends UpdateDecayMode> {
  readonly lr: OptionSpec<LearningRate>;
  readonly weightDecay: OptionSpec<number>;
  readonly weightDecayMode: OptionSpec<Mode>;
  readonly maximize: OptionSpec<boolean>;
}

/**
 * The options that every rule has.
 *
 * @param lr the rule's default learning rate.
 * @param weightDecay its default.
 * @param mode the default of `weightDecayMode`; `'update'` if the rule's equation has decay in the update.
 */
export function commonOptions(
  lr: number,
  weightDecay?: number,
  mode?: WeightDecayMode,
): CommonSpecs<WeightDecayMode>;
export function commonOptions(lr: number, weightDecay: number, mode: 'update'): CommonSpecs<UpdateDecayMode>;
export function commonOptions(
  lr: number,
  weightDecay = 0,
  mode: UpdateDecayMode = 'l2',
): CommonSpecs<UpdateDecayMode> {
  return {
    lr: learningRate(lr),
    weightDecay: number(weightDecay, 0),
    weightDecayMode: choice<UpdateDecayMode>(mode, mode === 'update' ? [mode, ...DECAY_MODES] : DECAY_MODES),
    maximize: boolean(false),
  };
}

/** Turns a declaration into the factory that users call. */
export function defineRule<
  O extends ResolvedCommonOptions<UpdateDecayMode>,
  Slot extends string,
  Scalar extends string,
  Switch extends string,
  Correction extends string = never,
  Prepared extends string = Scalar,
  Value extends string = never,
>(
  declaration: RuleDeclaration<O, Slot, Scalar, Switch, Correction, Prepared, Value>,
): RuleFactory<Partial<O>> {
  // Outside this module a rule's option, slot and scalar names are only known at run time.
  const erased = declaration as unknown as RuleDeclaration;
  const create = (options: Partial<O> = {}): Rule => makeRule(erased, options);
  return Object.assign(create, { declaration: erased });
}

/**
 * Checks options and makes a rule of them.
 *
 * @throws OptimizerError `invalid-option`.
 */
export function makeRule(declaration: RuleDeclaration, given: object): Rule {
  const options = resolveOptions(declaration.name, declaration.options, given) as RuleOptions;
  const complaint = declaration.complaint?.(options);
  if (complaint !== undefined)
    throw new OptimizerError('invalid-option', `${declaration.name}: ${complaint}`);
  return Object.freeze({ name: declaration.name, options, declaration });
}

/** The same rule with some options replaced, as a parameter group does. */
export function overrideRule(rule: Rule, overrides: object): Rule {
  return withAverages(makeRule(rule.declaration, { ...rule.options, ...overrides }), rule.averages ?? []);
}

/** The same rule, with averages taken of its weights. */
export function withAverages(rule: Rule, averages: readonly Average[]): Rule {
  return averages.length > 0 ? Object.freeze({ ...rule, averages }) : rule;
}
