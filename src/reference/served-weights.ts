import { OptimizerError } from '../errors.js';
import { layoutOf } from '../kernel/rule-layout.js';
import type { Rule } from '../rules/rule.js';
import type { ParameterState } from './tensor/parameter-state.js';

/** What is evaluated with in place of the weights that train: what the rule says, or an average of theirs. */
export type ServedWeights = 'rule' | 'ema' | 'swa';

/**
 * What `eval()` serves: what a schedule-free rule has for it, else the exponential moving average, else the stochastic one.
 *
 * @throws OptimizerError `invalid-config` if there is none of them.
 */
export function chooseServed(rule: Rule, what: string): ServedWeights {
  const { evaluation, averages } = layoutOf(rule);
  if (evaluation) return 'rule';
  const slots = averages.map(({ declaration }) => declaration.slot);
  const served = (['ema', 'swa'] as const).find((slot) => slots.includes(slot));
  if (served) return served;
  throw new OptimizerError(
    'invalid-config',
    `${what}(): ${rule.name} evaluates with the weights that it trains; leave the call out, or configure ema or swa.`,
  );
}

/** Puts what is served in place of a parameter's weights, or the weights that train back. */
export function exchangeWeights(
  parameter: ParameterState,
  rule: Rule,
  served: ServedWeights,
  isEvaluating: boolean,
): void {
  if (served !== 'rule') {
    // Before the first step there is no average, and the weights stay.
    if (parameter.stepCount > 0) parameter.exchange(served);
    return;
  }
  const { slot, share } = layoutOf(rule).evaluation!;
  parameter.addState(slot, isEvaluating ? share : -share);
}
