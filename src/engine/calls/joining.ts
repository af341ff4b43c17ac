import { OptimizerError, quote } from '../../errors.js';
import { compileAll } from '../../gpu/pipelines.js';
import { type Assembled, assemble } from '../run/assemble.js';
import { type Generation, planGeneration } from '../run/generation.js';
import { type GroupPart, type PlannedPart, type RunTensor, makePart, planPart } from '../run/group-part.js';
import { resolveAddedGroup } from '../input/added-group.js';
import type { NameTable } from '../input/names.js';
import type { ResolvedParameter } from '../input/parameter/parameter.js';
import { layoutOf } from '../../kernel/rule-layout.js';
import type { ParameterGroup } from '../parameter-group.js';
import { labelOf } from '../run/plan-run.js';
import type { Reservation, Run } from '../run/run.js';
import type { Session } from '../session.js';

/** A group that is about to join: checked against all others, and its numbers reserved. */
interface Joiner {
  /** The call, for errors. */
  readonly call: string;
  readonly group: ParameterGroup;
  /** Those that are new. */
  readonly parameters: readonly ResolvedParameter[];
  /** Those that are other groups' so far. */
  readonly moved: ReadonlySet<RunTensor>;
  /** The group of those that are new. */
  readonly planned: PlannedPart;
  /** What the group of all of them needs. */
  readonly sources: PlannedPart['sources'];
  /** Names of all of them. */
  readonly taken: readonly string[];
  readonly reservation: Reservation;
  /** Gives back what was reserved. */
  release(): void;
}

/** Lets groups join a run, one after the other, however they are asked for. */
export class Joining {
  #queue: Promise<unknown> = Promise.resolve();
  #pendingCount = 0;

  constructor(
    private readonly session: Session,
    private readonly run: Run,
  ) {}

  /** As `Optimizer.addGroup`; what is given is read before this returns. */
  async add(given: unknown): Promise<ParameterGroup> {
    const joiner = this.#prepare(given, 'addGroup()');
    this.#pendingCount++;
    const added = this.#queue
      .then(() => this.#join(joiner))
      .catch((error: unknown) => {
        joiner.release();
        throw error;
      })
      .finally(() => this.#pendingCount--);
    this.#queue = added.catch(() => undefined);
    return added;
  }

  /** As `Optimizer.addGroupSync`. */
  addSync(given: unknown): ParameterGroup {
    if (this.#pendingCount > 0) {
      throw new OptimizerError('invalid-config', 'addGroupSync(): addGroup() is under way; await it first.');
    }
    const joiner = this.#prepare(given, 'addGroupSync()');
    const { guard } = this.session;
    try {
      const part = this.#assemblePart(joiner);
      guard.failWith(part.checked);
      if (joiner.moved.size > 0) return this.#adopt(joiner, part.value);
      const generation = this.#assembleGeneration(joiner, part.value);
      guard.failWith(generation.checked);
      return this.#adopt(joiner, part.value, generation.value);
    } catch (error) {
      joiner.release();
      throw error;
    }
  }

  #prepare(given: unknown, call: string): Joiner {
    const { session, run } = this;
    const { names, joining, occupancy, config } = session;
    const { parameterCount } = session;
    const { rule, parameters, moved } = resolveAddedGroup(config, given, names, parameterCount, call);
    const fresh = parameters.map(({ name }) => name);
    names.rejectTaken(fresh);
    const taken = [...fresh, ...Array.from(moved, ({ parameter }) => parameter.name)];
    rejectJoining(taken, joining, call);
    session.rejectDestroyedArenas(parameters, call);
    const undoClaim = occupancy.claim(parameters);
    for (const name of taken) joining.set(name, taken);
    session.parameterCount += parameters.length;
    const group = session.makeGroup(rule, parameters);
    const reservation = run.reserve(fresh);
    const { indices, row, groupIndex } = reservation;
    const release = () => {
      // Others may have one that was removed.
      for (const name of taken) if (joining.get(name) === taken) joining.delete(name);
      session.parameterCount -= parameters.length;
      undoClaim();
      run.release(reservation);
    };
    try {
      const layout = layoutOf(group.rule);
      const label = labelOf(config, rule, groupIndex);
      const members = parameters.map((parameter, k) => ({ index: indices[k]!, row, parameter }));
      const planned = planPart(run.resources, group, layout, members, label);
      // What it will need when those that move are there.
      const whole =
        moved.size > 0 ? planPart(run.resources, group, layout, [...members, ...moved], label) : planned;
      const { sources } = planGeneration(run.resources, run.controlFacts, [whole]);
      const all = [...whole.sources, ...sources];
      return { call, group, parameters, moved, planned, sources: all, taken, reservation, release };
    } catch (error) {
      release();
      throw error;
    }
  }

  async #join(joiner: Joiner): Promise<ParameterGroup> {
    const { session, run } = this;
    const { guard, device } = session;
    guard.checkTraining('addGroup()');
    await compileAll(device, joiner.sources);
    guard.checkTraining('addGroup()');
    const part = this.#assemblePart(joiner);
    try {
      await part.checked;
      guard.checkTraining('addGroup()');
      // Where nobody is new, there is nothing of the caller's to be checked.
      if (joiner.parameters.length === 0) return this.#adopt(joiner, part.value);
      const { version } = run;
      const forget = run.mark();
      const generation = this.#assembleGeneration(joiner, part.value);
      try {
        await generation.checked;
        guard.checkTraining('addGroup()');
        // The run went on meanwhile, and may do so at each step: a generation of what has changed is made when it joins.
        const isCurrent = run.version === version && joiner.moved.size === 0;
        if (isCurrent) return this.#adopt(joiner, part.value, generation.value);
      } catch (error) {
        this.#giveUp(generation.value);
        forget();
        throw error;
      }
      this.#giveUp(generation.value);
      return this.#adopt(joiner, part.value);
    } catch (error) {
      part.value.destroy();
      // What ended the run meanwhile says more than what became of the group.
      guard.check('addGroup()');
      throw error;
    }
  }

  #giveUp(generation: Generation): void {
    const { run } = this;
    run.retire(generation.without(run.generation));
  }

  #assemblePart({ planned, parameters }: Joiner): Assembled<GroupPart> {
    return assemble(this.session.device, {
      make: () => makePart(planned),
      probe: (part, pass) => part.encodeProbe(pass),
      sources: planned.sources,
      parameters,
      stateByteLength: (part) => part.slabs.byteLength,
    });
  }

  #assembleGeneration({ parameters }: Joiner, part: GroupPart): Assembled<Generation> {
    const { run } = this;
    const plan = run.plan([...run.parts, part]);
    return assemble(this.session.device, {
      make: () => plan.make(),
      probe: (generation, pass) => generation.encodeProbe(pass, run.idle),
      sources: plan.sources,
      parameters,
      stateByteLength: () => part.slabs.byteLength,
    });
  }

  #adopt(
    { call, group, moved, taken, reservation }: Joiner,
    part: GroupPart,
    generation?: Generation,
  ): ParameterGroup {
    const { session, run } = this;
    rejectGone(moved, session.names, call);
    run.adopt(part, moved, generation);
    for (const name of taken) session.joining.delete(name);
    // Its row is nobody's where nobody is new.
    if (reservation.indices.length === 0) run.release(reservation);
    session.adopt(part.tensors);
    session.followRun(run);
    return group;
  }
}

/** @throws OptimizerError `invalid-parameter` if one is in another group that has not joined yet. */
function rejectJoining(taken: Iterable<string>, joining: ReadonlyMap<string, unknown>, call: string): void {
  for (const name of taken) {
    if (!joining.has(name)) continue;
    throw new OptimizerError(
      'invalid-parameter',
      `${call}: parameter ${quote(name)} is in a group that is about to join; await that call of addGroup() first.`,
    );
  }
}

/** @throws OptimizerError `invalid-parameter` if one that was to move has left meanwhile. */
function rejectGone(moved: Iterable<RunTensor>, names: NameTable<RunTensor>, call: string): void {
  for (const tensor of moved) {
    const { name } = tensor.parameter;
    if (names.get(name) === tensor) continue;
    throw new OptimizerError(
      'invalid-parameter',
      `${call}: parameter ${quote(name)} was removed before it could move; call addGroup() anew without it.`,
    );
  }
}
