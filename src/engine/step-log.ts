import type { StatsRing } from './control/stats-ring.js';
import type { ParameterGroup } from './group.js';
import type { StepInputs } from './step-scalars.js';
import type { StepStats } from './step-stats.js';

/** The host's count of the steps: what each needs to know, and what became of them. */
export class StepLog {
  /** Steps asked for: the applied ones, and those that the GPU skipped. */
  count = 0;
  #lastLr = NaN;

  /** The inputs of the next step; schedules are asked here, before anything is made. */
  next(groups: readonly ParameterGroup[], gradScale: number): StepInputs {
    const inputs = groups.map(({ rule, lr, joinedAt }) => ({ rule, lr, t: this.count + 1 - joinedAt }));
    return { groups: inputs, gradScale };
  }

  /** Counts a step that was encoded. */
  add({ groups }: StepInputs): void {
    this.count++;
    this.#lastLr = groups[0]!.lr;
  }

  /**
   * What became of the steps submitted so far.
   *
   * @param ring reads what the GPU decided; absent where nothing is to be decided, so that the host knows.
   * @param lossScale the one that holds then.
   */
  async stats(ring: StatsRing | undefined, lossScale: number): Promise<StepStats> {
    const lr = this.#lastLr;
    if (!ring) return { step: this.count, skipped: 0, gradNorm: NaN, clipFactor: 1, lossScale, lr };
    const { step, skipped, gradNorm, clipFactor, lossScale: present } = await ring.read();
    return { step, skipped, gradNorm, clipFactor, lossScale: present, lr };
  }
}
