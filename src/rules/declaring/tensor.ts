import type { RuleOptions } from '../options/common-options.js';
import type { Arithmetic } from './arithmetic.js';

/** What `measure` sees of one element: the same that the update will see. */
export interface MeasuredElement<N, Slot extends string, Scalar extends string, Switch extends string> {
  /** The weight, decoupled decay already applied. */
  readonly w: N;
  /** The gradient, sign and L2 decay already applied. */
  readonly g: N;
  /** A copy of the element's state, of which only the slots in `reads` may be looked at. */
  readonly s: Record<Slot, N>;
  /** As {@link ElementStep}'s. */
  readonly h: Readonly<Record<Scalar, N>>;
  readonly on: Readonly<Record<Switch, boolean>>;
}

/** What `summarize` sees of one tensor. */
export interface MeasuredTensor<N, Slot extends string, Scalar extends string, Switch extends string> {
  /** Euclidean norms of the quantities over the tensor, in order. */
  readonly norms: readonly N[];
  /** The tensor's `perTensor` slots, to be updated in place. */
  readonly s: Record<Slot, N>;
  /** As {@link ElementStep}'s. */
  readonly h: Readonly<Record<Scalar, N>>;
  readonly on: Readonly<Record<Switch, boolean>>;
  /** 1-based count of applied steps. */
  readonly t: number;
  /** The square root of the tensor's number of elements, as `tensor.root_count` in WGSL; for rules that say `hasRootCount`. */
  readonly rootCount: N;
}

/**
 * What measures tensors on the GPU. Of it rules know no more than that they hand it to the engine: it comes with those that
 * need it, so that nobody downloads it with the others.
 */
export interface TensorStage {
  readonly planStage: (input: never) => unknown;
  readonly makeRecords: (...given: never) => unknown;
}

/**
 * The part of a rule that looks at whole tensors: its WGSL then has `fn measure(w: lane, g: lane) -> Measured` and
 * `fn summarize(norms: Norms)` beside `update`, and what is known of a tensor is in `tensor`. A tensor is a parameter,
 * in however many pieces it lies.
 */
export interface TensorDeclaration<
  Slot extends string = string,
  Scalar extends string = string,
  Switch extends string = string,
  Value extends string = string,
  O = RuleOptions,
> {
  /** Whether these options need the tensor measured; without it, all do. */
  readonly usedBy?: (options: O) => boolean;
  /** What measures on the GPU: `measuring`, which `defineRule` fills in. */
  readonly stage?: TensorStage | undefined;
  /** How many quantities `measure` gives per element. */
  readonly quantityCount: number;
  /** The state slots that `measure` reads. */
  readonly reads: readonly Slot[];
  /** What `summarize` leaves for the update: fields of `tensor`. */
  readonly values: readonly Value[];
  /** Whether `summarize` needs the tensor's number of elements: then `tensor.root_count` is its square root. */
  readonly hasRootCount?: boolean;
  /** Twin of the WGSL's `measure`; may change its copy of the state, to no effect. */
  readonly measure: <N>(f: Arithmetic<N>, element: MeasuredElement<N, Slot, Scalar, Switch>) => readonly N[];
  /** Twin of the WGSL's `summarize`. */
  readonly summarize: <N>(
    f: Arithmetic<N>,
    tensor: MeasuredTensor<N, Slot, Scalar, Switch>,
  ) => Record<Value, N>;
}
