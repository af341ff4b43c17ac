import type { Arithmetic } from './arithmetic.js';
import type { EvaluationDeclaration, RisingRate, SlotDeclaration } from './declaration.js';
import type { OptionSpec } from '../options/options.js';
import type { TensorStage } from './tensor.js';

/** What is declared of options: a spec per name. `any`, since a spec of numbers is no spec of unknown values. */
// oxlint-disable-next-line typescript/no-explicit-any
export type SpecMap = Readonly<Record<string, OptionSpec<any>>>;

/**
 * A part of rules, as a value: a piece of WGSL that their equations call, and all that belongs to it. Whoever lists it
 * under `parts` has its options, slots, switches and scalars as if they were declared there. What it takes, of
 * options, scalars and `h`, is said by the types of its functions' arguments; the rule must have it.
 *
 * Its functions take what they need; `never` here only means that this is not known.
 */
export interface Part {
  /** WGSL to compose behind the rule's. */
  readonly wgsl: string;
  /** Parts that this one calls. */
  readonly parts?: readonly Part[];
  readonly options?: SpecMap;
  /** Checks what no single option can check; returns the complaint, or nothing. */
  readonly complaint?: (options: never) => string | undefined;
  readonly slots?: readonly SlotDeclaration<string, never>[];
  readonly evaluation?: EvaluationDeclaration<string, never>;
  readonly decaysWeight?: (options: never) => boolean;
  /** The `override` constants of the WGSL. */
  readonly switches?: (options: never) => Readonly<Record<string, boolean>>;
  readonly scalars?: (options: never, lr: number) => Readonly<Record<string, number | RisingRate>>;
  /** Twin of what the WGSL prepares; the rule's own `prepare`, in WGSL and here, comes after it and sees it in `h`. */
  readonly prepare?: <N>(f: Arithmetic<N>, h: never, on: never, t: number) => Readonly<Record<string, N>>;
  readonly tensor?: {
    readonly stage?: TensorStage | undefined;
    readonly usedBy?: (options: never) => boolean;
    readonly quantityCount: number;
    readonly reads: readonly string[];
    readonly values: readonly string[];
    readonly measure: <N>(f: Arithmetic<N>, element: never) => readonly N[];
    readonly summarize: <N>(f: Arithmetic<N>, tensor: never) => Readonly<Record<string, N>>;
  };
}

/** Declares a part of the library's own rules; a test checks them, so that nobody downloads the checks with them. */
export function declarePart<const P extends Part>(part: P): P {
  return Object.freeze(part);
}

/** A part, and those that it is made of. */
type Flat<P extends Part> =
  | P
  | (P extends { readonly parts: readonly (infer Q extends Part)[] } ? Flat<Q> : never);

/** All parts of a list. */
type Each<P extends readonly Part[]> = Flat<P[number]>;

/** The members of a union, all at once. */
type All<U> = (U extends unknown ? (u: U) => void : never) extends (i: infer I) => void ? I : never;

/** The options that specs declare. */
export type SpecOptions<S> = { readonly [K in keyof S]: S[K] extends OptionSpec<infer T> ? T : never };

type OptionsOf<P extends Part> = P extends { readonly options: infer S } ? SpecOptions<S> : never;

/** The options of parts. */
export type PartOptions<P extends readonly Part[]> = All<OptionsOf<Each<P>>>;

type SlotOf<P extends Part> = P extends { readonly slots: readonly { readonly name: infer S }[] } ? S : never;

type KeyOfResult<F> = F extends (...given: never) => infer R ? keyof R & string : never;

type Of<P extends Part, K extends keyof Part> = P extends { readonly [L in K]: infer F } ? F : never;

/** Names of the parts' slots. */
export type PartSlot<P extends readonly Part[]> = SlotOf<Each<P>> & string;

/** Names of their switches. */
export type PartSwitch<P extends readonly Part[]> = KeyOfResult<Of<Each<P>, 'switches'>>;

/** Names of their scalars, and of what they prepare. */
export type PartScalar<P extends readonly Part[]> =
  | KeyOfResult<Of<Each<P>, 'scalars'>>
  | KeyOfResult<Of<Each<P>, 'prepare'>>;

/** Names of what they know of whole tensors. */
export type PartValue<P extends readonly Part[]> = TensorValue<Of<Each<P>, 'tensor'>>;

type TensorValue<T> = T extends { readonly values: readonly (infer V extends string)[] } ? V : never;

type Taken<F> = F extends (options: infer O, ...rest: never) => unknown ? O : never;

/** The options that parts take, whoever declares them. */
export type PartNeeds<P extends readonly Part[]> = All<
  | Taken<Of<Each<P>, 'switches'>>
  | Taken<Of<Each<P>, 'scalars'>>
  | Taken<Of<Each<P>, 'complaint'>>
  | Taken<Of<Each<P>, 'decaysWeight'>>
>;
