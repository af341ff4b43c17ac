import type { GroupPart } from './group-part.js';
import type { StepInputs } from './step-slot.js';

/** The host's count of the steps, and what each needs to know. */
export class StepLog {
  /** Steps asked for, those that the GPU skipped included: what schedules follow. */
  asked = 0;
  /** Steps applied, where nothing is skipped; else only the GPU knows. */
  applied = 0;
  /** The learning rate of the last step asked for; of the first group. */
  lastLr = NaN;

  /** Goes on from so many applied steps, if that is further on than it is; schedules go along. */
  advanceTo(step: number): void {
    this.asked += Math.max(step - this.applied, 0);
    this.applied = Math.max(step, this.applied);
  }

  /** The inputs of the next step; schedules are asked here, before anything is made. */
  next(parts: readonly GroupPart[], gradScale: number): StepInputs {
    return { ruleOf: new Map(parts.map((part) => [part, part.group.inForce()])), gradScale };
  }

  /** Counts a step that was encoded. */
  add({ ruleOf }: StepInputs): void {
    this.asked++;
    this.applied++;
    for (const { lr } of ruleOf.values()) {
      this.lastLr = lr;
      break;
    }
  }
}
