import { OptimizerError } from '../errors.js';
import { encodeOrSubmit } from './commands.js';
import type { Roster } from './roster.js';
import type { UsageGuard } from './usage-guard.js';

/**
 * Puts the weights to evaluate with in place of those that train, or back, of all groups; nothing if they are there.
 *
 * @param what the method that the caller called.
 * @param encoder the caller's, or undefined to submit at once.
 * @throws OptimizerError `invalid-config` if the rule evaluates with the weights that train.
 */
export function exchangeWeights(
  device: GPUDevice,
  { config, groups, runner: { evaluations } }: Roster,
  guard: UsageGuard,
  isEvaluating: boolean,
  what: string,
  encoder: GPUCommandEncoder | undefined,
): void {
  guard.check(what);
  if (evaluations.isEmpty) {
    throw new OptimizerError(
      'invalid-config',
      `${what}(): ${groups[0]!.rule.name} evaluates with the weights that it trains; leave the call out.`,
    );
  }
  if (guard.isEvaluating === isEvaluating) return;
  encodeOrSubmit(device, encoder, config.label, what, (commands) =>
    evaluations.encode(commands, isEvaluating),
  );
  guard.isEvaluating = isEvaluating;
}
