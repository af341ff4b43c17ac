import type { Arithmetic } from '../rules/declaring/arithmetic.js';
import { OptimizerError, isRecord, quote } from '../errors.js';
import { type OptionSpecs, resolveOptions } from '../rules/options/options.js';

/** Integers up to here a float32 uniform holds exactly, as numbers of steps in options must be. */
export const FLOAT32_INTEGERS: number = 2 ** 24;

/** What the reference of an average sees of one element. */
export interface AverageStep<N> {
  /** The weight before this step. */
  readonly before: N;
  /** The weight that the rule, and averages before this one, arrived at. */
  readonly after: N;
  /** The average, as it was. */
  readonly average: N;
  /** The scalars, as `scalars` gave them. */
  readonly h: Readonly<Record<string, N>>;
  /** 1-based count of applied steps. */
  readonly t: number;
}

/** An average of the weights, declared: it is taken in the same pass as the step and knows nothing of the rule. */
export interface AverageDeclaration<O extends object = Record<string, unknown>> {
  /** Also the name of its WGSL functions, `prepare_<name>` and `average_<name>`. */
  readonly name: string;
  /** Source of `shaders/averages/<name>.wgsl`. */
  readonly wgsl: string;
  /** The state slot that holds it. */
  readonly slot: string;
  readonly options: OptionSpecs<O>;
  readonly switches: (options: O) => Record<string, boolean>;
  /** Fields of `h`, in float64. */
  readonly scalars: (options: O) => Record<string, number>;
  /** The equation on the CPU: the new average and the new weight. */
  readonly reference: <N>(
    f: Arithmetic<N>,
    step: AverageStep<N>,
    options: O,
  ) => { readonly average: N; readonly weight: N };
}

/** An average with its options, checked. */
export interface Average {
  readonly declaration: AverageDeclaration;
  readonly options: Readonly<Record<string, unknown>>;
}

/** Erases what only the declaration's own file needs to know. */
export function defineAverage<O extends object>(declaration: AverageDeclaration<O>): AverageDeclaration {
  return declaration as unknown as AverageDeclaration;
}

/**
 * Checks an average's options; the options without a default must be given.
 *
 * @throws OptimizerError `invalid-option`.
 */
export function makeAverage(declaration: AverageDeclaration, given: unknown): Average {
  if (!isRecord(given)) {
    const wanted = Object.keys(declaration.options).join(', ');
    throw new OptimizerError(
      'invalid-option',
      `${declaration.name} is ${quote(given)}; give an object of ${wanted}.`,
    );
  }
  return { declaration, options: resolveOptions(declaration.name, declaration.options, given) };
}
