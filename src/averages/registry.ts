import { type Average, type AverageDeclaration, makeAverage } from './average.js';
import { type EmaOptions, ema } from './ema.js';
import { type LookaheadOptions, lookahead } from './lookahead.js';
import { type SwaOptions, swa } from './swa.js';

/** Averages of the weights, taken in the same pass as the step, whatever the rule. */
export interface AverageOptions {
  /** Exponential moving average; read it with `readEma`, exchange it with `swapEma`. */
  ema?: EmaOptions;
  /** Stochastic weight averaging; `readState(name, 'swa')`. */
  swa?: SwaOptions;
  /** Slow weights that the fast ones return to; `readState(name, 'slow')`. */
  lookahead?: LookaheadOptions;
}

/** The state slots of averages. */
export type AverageSlot = 'ema' | 'swa' | 'slow';

/** Every average, in the order in which they are taken: Lookahead first, since it moves the weights. */
const averages: readonly AverageDeclaration[] = [lookahead, ema, swa];

/** Names of the options, for the list of those known. */
export const AVERAGE_OPTION_NAMES: readonly string[] = averages.map(({ name }) => name);

/** Names of their state slots. */
export const AVERAGE_SLOTS: readonly string[] = averages.map(({ slot }) => slot);

/**
 * The averages that a config asks for; its other keys are ignored.
 *
 * @throws OptimizerError `invalid-option` quoting the value and the range.
 */
export function resolveAverages(config: AverageOptions): Average[] {
  const given = config as Record<string, unknown>;
  return averages
    .filter(({ name }) => given[name] !== undefined)
    .map((declaration) => makeAverage(declaration, given[declaration.name]));
}
