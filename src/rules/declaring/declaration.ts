import type { Arithmetic } from './arithmetic.js';
import type { ResolvedCommonOptions, RuleOptions } from '../options/common-options.js';
import type { Side } from './matrix-size.js';
import type { MatrixCandidate, MatrixDeclaration } from './matrix.js';
import type { OptionSpecs } from '../options/options.js';
import type { TensorDeclaration } from './tensor.js';

/** One state array of a rule. */
export interface SlotDeclaration<Slot extends string = string, O = RuleOptions> {
  /** PyTorch's name of the state. */
  readonly name: Slot;
  /** Whether these options need the slot; a variant that does not need it does not allocate or bind it. */
  readonly usedBy?: (options: O) => boolean;
  /** Value of every element before the first step. Default 0. */
  readonly initial?: (options: O) => number;
  /** Whether it is float32 whatever the `stateDtype`: a sum over all steps, or what weights are computed from anew. */
  readonly isExact?: boolean;
  /** Whether it is never below 0, as squares are: few bits hold more of it then. */
  readonly isNonNegative?: boolean;
  /** Whether the tensor has one of it instead of one per element; then `tensor.summarize` updates it. Starts at 0. */
  readonly perTensor?: boolean;
  /** Whether there is one of it per row, or per column, of the matrices that the tensor is; then `matrix.factors` says what it becomes. */
  readonly along?: Side;
}

/** What the reference of an equation sees of one element: the same things that its WGSL twin sees. */
export interface ElementStep<
  N,
  Slot extends string = string,
  Scalar extends string = string,
  Switch extends string = string,
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
  /** This step's scalars: the `h` of the WGSL, and what `prepare` returned. */
  readonly h: Readonly<Record<Scalar, N>>;
  /** The variant's switches: the `override`s of the WGSL. */
  readonly on: Readonly<Record<Switch, boolean>>;
}

/**
 * A decay rate whose correction 1 − β₁β₂⋯βₜ an equation needs. It is βᵢ = β(1 − ½dⁱ) at the i-th applied step, as NAdam's
 * momentum (Dozat 2016); with damping d = 0 it stays β, and the correction is 1 − βᵗ.
 */
export interface RisingRate {
  /** β, in [0, 1). */
  readonly beta: number;
  /** d, in [0, 1): how slowly the rate rises. */
  readonly damping: number;
}

/**
 * As a scalar of a rule: 1 − βᵗ, or of a rate that rises, 1 − β₁β₂⋯βₜ. t is the 1-based count of applied steps, which
 * only the GPU knows when steps may be skipped; so no rule computes it itself. What it does see of t is `h.t`, a float32,
 * exact up to 2²⁴.
 *
 * @param beta β, in [0, 1); 0 for no correction: 1 − 0ᵗ = 1.
 * @param damping how slowly the rate rises, in [0, 1). Default 0.
 */
export function correctionOf(beta: number, damping = 0): RisingRate {
  return { beta, damping };
}

/** Of rules that train with other weights than they are to be evaluated with: w + share·slot is what to evaluate with. */
export interface EvaluationDeclaration<Slot extends string = string, O = RuleOptions> {
  readonly slot: Slot;
  readonly share: (options: O) => number;
}

/** What every rule's `h` has beside the scalars that it declares. */
export type StandardScalar = 'decay' | 't' | 'grad_multiplier' | 'min_grad_value' | 'max_grad_value';

/**
 * A rule as the engine sees it, its parts merged into it: everything that bindings, uniforms, pipelines, tests and menus
 * are derived from. Its equation stands twice, in `wgsl` and in `reference`, and nowhere else. The names in it are
 * only known at run time; where they are declared, `defineRule` checks them.
 */
export interface RuleDeclaration<Slot extends string = string> {
  readonly name: string;
  /** The rule's WGSL, then that of its parts; there always is a `prepare()`. */
  readonly wgsl: string;
  readonly options: OptionSpecs<ResolvedCommonOptions> & OptionSpecs<RuleOptions>;
  /** Checks what no single option can check; returns the complaint, or nothing. */
  readonly complaint: (options: RuleOptions) => string | undefined;
  readonly slots: readonly SlotDeclaration<Slot>[];
  /** What `Optimizer.eval` puts in place of the weights; nothing if they are what to evaluate with. */
  readonly evaluation?: EvaluationDeclaration | undefined;
  /** Whether the rule applies decoupled or raw weight decay itself, from `h.decay`; the template then does not. */
  readonly decaysWeight: (options: RuleOptions) => boolean;
  /** The `override` constants of the WGSL for these options. */
  readonly switches: (options: RuleOptions) => Record<string, boolean>;
  /**
   * The scalars of a step in float64, rounded once to the float32 uniform; rates stand for their corrections.
   *
   * @param lr this step's learning rate.
   */
  readonly scalars: (options: RuleOptions, lr: number) => Record<string, number | RisingRate>;
  /**
   * Twin of the WGSL's `prepare()`: what is the same for all elements, from the scalars of a step.
   *
   * @param t 1-based count of applied steps.
   */
  readonly prepare: <N>(
    f: Arithmetic<N>,
    h: Readonly<Record<string, N>>,
    on: Readonly<Record<string, boolean>>,
    t: number,
  ) => Record<string, N>;
  /** The equation on the CPU: updates `s` in place and returns the new weight. */
  readonly reference: <N>(f: Arithmetic<N>, element: ElementStep<N>) => N;
  /** What is wrong with a parameter that the rule, of that name, is to step, and what to do; nothing if it can. */
  readonly parameterComplaint?:
    | ((rule: string, parameter: MatrixCandidate) => string | undefined)
    | undefined;
  /** For equations with norms: what is measured of each tensor before its elements are updated. */
  readonly tensor?: TensorDeclaration | undefined;
  /** For rules of matrices: how directions become what the update sees. */
  readonly matrix?: MatrixDeclaration | undefined;
}
