import type { Arithmetic } from './arithmetic.js';
import type { CommonSpecs } from '../options/common-options.js';
import type {
  ElementStep,
  EvaluationDeclaration,
  RisingRate,
  SlotDeclaration,
  StandardScalar,
} from './declaration.js';
import type { MatrixCandidate, MatrixDeclaration } from './matrix.js';
import type { UpdateDecayMode } from '../options/options.js';
import { type LooseSource, flatten, mergeParts } from './merge-parts.js';
import type {
  Part,
  PartOptions,
  PartScalar,
  PartNeeds,
  PartSlot,
  PartSwitch,
  PartValue,
  SpecMap,
  SpecOptions,
} from './part.js';
import { type RuleFactory, makeRule } from '../rule.js';
import type { TensorDeclaration, TensorStage } from './tensor.js';

/**
 * What `defineRule` takes. S: the specs of its options; P: its parts; Slot, Scalar, Switch, Prepared, Value: the names
 * of its own that its equation speaks of. All of them follow from what is written.
 */
export interface RuleSource<
  S extends SpecMap,
  Slot extends string,
  Scalar extends string,
  Switch extends string,
  Prepared extends string,
  Value extends string,
  P extends readonly Part[],
> {
  /** What it is called: in state dicts, labels and errors. */
  readonly name: string;
  /**
   * Its equation in WGSL, over lanes: `fn update(w: lane, g: lane) -> lane` returns the new weight. Its slots are
   * private variables, its scalars fields of `h`, its switches `override`s. What is the same for all elements
   * belongs in `fn prepare()`.
   */
  readonly wgsl: string;
  /** What it shares with others. */
  readonly parts?: P;
  /** The specs of its options: `option.common(lr)`, and its own. */
  readonly options: S;
  /** Checks what no single option can check; returns the complaint, or nothing. */
  readonly complaint?: (options: Complete<S, P>) => string | undefined;
  /** Its state. */
  readonly slots?: readonly SlotDeclaration<Slot, Complete<S, P>>[];
  /** What `Optimizer.eval` puts in place of the weights; nothing if they are what to evaluate with. */
  readonly evaluation?: EvaluationDeclaration<Slot | PartSlot<P>, Complete<S, P>>;
  /** Whether it applies decoupled or raw weight decay itself, from `h.decay`; the template then does not. */
  readonly decaysWeight?: (options: Complete<S, P>) => boolean;
  /** The `override` constants of the WGSL for these options. */
  readonly switches?: (options: Complete<S, P>) => Readonly<Record<Switch, boolean>>;
  /**
   * The scalars of a step in float64, rounded once to the float32 uniform. `correctionOf(β)` stands for 1 − βᵗ.
   *
   * @param lr this step's learning rate.
   */
  readonly scalars: (options: Complete<S, P>, lr: number) => Readonly<Record<Scalar, number | RisingRate>>;
  /**
   * Twin of the WGSL's `prepare()`; what it returns is in `h` beside the scalars.
   *
   * @param t 1-based count of applied steps.
   */
  readonly prepare?: <N>(
    f: Arithmetic<N>,
    h: Readonly<Record<Scalar | PartScalar<P> | StandardScalar, N>>,
    on: Readonly<Record<Switch | PartSwitch<P>, boolean>>,
    t: number,
  ) => Readonly<Record<Prepared, N>>;
  /** The equation on the CPU: updates `s` in place and returns the new weight. */
  readonly reference: <N>(
    f: Arithmetic<N>,
    element: ElementStep<
      N,
      Slot | PartSlot<P>,
      Scalar | Prepared | PartScalar<P> | StandardScalar,
      Switch | PartSwitch<P>,
      Value | PartValue<P>
    >,
  ) => N;
  /** What is wrong with a parameter that the rule, of that name, is to step, and what to do; nothing if it can. */
  readonly parameterComplaint?: (rule: string, parameter: MatrixCandidate) => string | undefined;
  /** For equations with norms: what is measured of each tensor before its elements are updated. */
  readonly tensor?: TensorDeclaration<
    Slot | PartSlot<P>,
    Scalar | Prepared | PartScalar<P> | StandardScalar,
    Switch | PartSwitch<P>,
    Value,
    Complete<S, P>
  >;
  /** For rules of matrices: how directions become what the update sees. */
  readonly matrix?: MatrixDeclaration<Complete<S, P>>;
}

/** The options of a rule and its parts, complete. */
type Complete<S extends SpecMap, P extends readonly Part[]> = SpecOptions<S> & PartOptions<P>;

/** Refuses parts that take options which nobody declares. */
type Served<O, P extends readonly Part[]> =
  O extends PartNeeds<P>
    ? unknown
    : { readonly parts: readonly [`a part takes options that the rule lacks`] };

/** The options that a rule's function takes. */
type Given<S extends SpecMap, P extends readonly Part[]> = {
  -readonly [K in keyof Complete<S, P>]?: Complete<S, P>[K];
};

/**
 * Makes the function that users call, `adam` say, from what a rule declares. Types follow from the declaration: the
 * options that the function takes, and the names that the equation may speak of. The library's own rules are declared
 * with this; a test checks them, so that nobody downloads the checks of `defineRule` with them.
 */
export function declareRule<
  S extends SpecMap & CommonSpecs<UpdateDecayMode>,
  Slot extends string,
  Scalar extends string,
  Switch extends string = never,
  Prepared extends string = never,
  Value extends string = never,
  const P extends readonly Part[] = readonly [],
>(
  source: RuleSource<S, Slot, Scalar, Switch, Prepared, Value, P> & Served<Complete<S, P>, P>,
): RuleFactory<Given<S, P>, Slot | PartSlot<P>> {
  // From here on the names are strings: the types above have said all that they can.
  return makeFactory(flatten(source as unknown as LooseSource)) as never;
}

/**
 * The function that users call, from a rule and its parts.
 *
 * @param stage what measures tensors, if none of them brings it.
 */
export function makeFactory(sources: readonly LooseSource[], stage?: TensorStage): RuleFactory {
  const declaration = Object.freeze(mergeParts(sources, stage));
  const create = (options: object = {}) => makeRule(declaration, options);
  Object.defineProperty(create, 'name', { value: declaration.name });
  return Object.assign(create, { declaration });
}
