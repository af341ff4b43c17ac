import { OptimizerError, quote } from '../../errors.js';
import { findNames } from '../input/names.js';
import type { ParameterGroup } from '../parameter-group.js';
import type { RunTensor } from '../run/group-part.js';
import { planLeaving } from '../run/reshape.js';
import type { Run } from '../run/run.js';
import type { Session } from '../session.js';

/** Lets parameters rest, go on, and go. */
export class Life {
  constructor(
    private readonly session: Session,
    private readonly run: Run,
  ) {}

  /** As `Optimizer.freeze` and `Optimizer.unfreeze`. */
  setFrozen(names: unknown, isFrozen: boolean, call: string): void {
    this.session.guard.checkTraining(call);
    this.run.setFrozen(findNames(names, this.session.names, call, 'names'), isFrozen);
  }

  /** As `Optimizer.remove`. */
  remove(names: unknown, call: string): void {
    this.session.guard.checkTraining(call);
    this.#leave(findNames(names, this.session.names, call, 'names'), call);
  }

  /** As `Optimizer.removeGroup`. */
  removeGroup(group: ParameterGroup, call: string): void {
    this.session.guard.checkTraining(call);
    const part = this.run.parts.find((each) => each.group === group);
    if (!part) {
      throw new OptimizerError(
        'invalid-config',
        `${call}: ${quote(group)} is not in optimizer.groups; give one of these.`,
      );
    }
    this.#leave(new Set(part.tensors), call);
  }

  #leave(leaving: ReadonlySet<RunTensor>, call: string): void {
    const { session, run } = this;
    if (leaving.size === 0) return;
    if (leaving.size === session.names.size) {
      throw new OptimizerError(
        'invalid-config',
        `${call}: no parameter would be left; call destroy() instead.`,
      );
    }
    run.reshape(planLeaving(run.resources, leaving));
    for (const tensor of leaving) {
      run.forget(tensor);
      session.names.delete(tensor.parameter.name);
      // Who is about to move it is refused then; the name is free at once.
      session.joining.delete(tensor.parameter.name);
    }
    session.occupancy.release(Array.from(leaving, ({ parameter }) => parameter.name));
    session.followRun(run);
  }
}
