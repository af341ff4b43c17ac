import { OptimizerError } from '../../errors.js';
import { compileAll } from '../../gpu/pipelines.js';
import { type Assembled, assemble } from '../run/assemble.js';
import { type Generation, planGeneration } from '../run/generation.js';
import { type GroupPart, type PlannedPart, makePart, planPart } from '../run/group-part.js';
import { resolveAddedGroup } from '../input/config.js';
import type { ResolvedParameter } from '../input/parameter.js';
import { layoutOf } from '../../kernel/rule-layout.js';
import type { ParameterGroup } from '../parameter-group.js';
import { labelOf } from '../run/plan-run.js';
import type { Run } from '../run/run.js';
import type { Session } from '../session.js';

/** A group that is about to join: checked against all others, and its numbers reserved. */
interface Joiner {
  readonly group: ParameterGroup;
  readonly parameters: readonly ResolvedParameter[];
  readonly planned: PlannedPart;
  readonly sources: PlannedPart['sources'];
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
    const part = this.#assemblePart(joiner);
    this.session.guard.failWith(part.checked);
    const generation = this.#assembleGeneration(joiner, part.value);
    this.session.guard.failWith(generation.checked);
    return this.#adopt(joiner, part.value, generation.value);
  }

  #prepare(given: unknown, call: string): Joiner {
    const { session, run } = this;
    const { names, joining, occupancy, config } = session;
    const resolved = resolveAddedGroup(config, given, names.size + joining.size);
    const { rule, parameters } = resolved;
    const taken = parameters.map(({ name }) => name);
    names.rejectTaken(taken);
    for (const name of taken) if (joining.has(name)) names.rejectTaken([name, name]);
    session.rejectDestroyedArenas(parameters, call);
    const undoClaim = occupancy.claim(parameters);
    for (const name of taken) joining.add(name);
    const group = session.makeGroup(rule, parameters);
    const reservation = run.reserve(parameters.length);
    const { indices, row, groupIndex } = reservation;
    const release = () => {
      for (const name of taken) joining.delete(name);
      undoClaim();
      run.release(reservation);
    };
    try {
      const planned = planPart(
        run.resources,
        group,
        layoutOf(group.rule),
        parameters.map((parameter, k) => ({ index: indices[k]!, row, parameter })),
        labelOf(config, groupIndex),
      );
      const kernels = planGeneration(run.resources, run.controlFacts, [planned]);
      return { group, parameters, planned, sources: [...planned.sources, ...kernels.sources], release };
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
      // The run goes on meanwhile: what was made for it as it was is of no use if it has changed.
      for (;;) {
        guard.checkTraining('addGroup()');
        const { version } = run;
        const generation = this.#assembleGeneration(joiner, part.value);
        const giveUp = () => run.retire(generation.value.without(run.generation));
        try {
          await generation.checked;
          guard.checkTraining('addGroup()');
        } catch (error) {
          giveUp();
          throw error;
        }
        if (run.version === version) return this.#adopt(joiner, part.value, generation.value);
        giveUp();
      }
    } catch (error) {
      part.value.destroy();
      // What ended the run meanwhile says more than what became of the group.
      guard.check('addGroup()');
      throw error;
    }
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

  #adopt({ group, parameters }: Joiner, part: GroupPart, generation: Generation): ParameterGroup {
    const { session, run } = this;
    for (const { name } of parameters) session.joining.delete(name);
    run.adopt(part, generation);
    session.addGroup(group);
    session.adopt(part.tensors);
    return group;
  }
}
