import type { Random } from '../../../proof/random.js';
import {
  Optimizer,
  type OptimizerConfig,
  type OptimizerErrorCode,
  type ParameterGroup,
  ParameterArena,
} from '../../../src/index.js';
import type { AddedGroupConfig } from '../../../src/engine/input/added-group.js';
import { partGroup, resolveGroup } from '../../../src/engine/input/groups.js';
import type { Rule } from '../../../src/rules/rule.js';
import { arenaHomes, makeHomes, parameterOf, writeGradients } from './homes.js';
import { type Memory, doMeet } from './memory.js';
import {
  type GroupPlan,
  type OptimizerPlan,
  type TensorPlan,
  drawRate,
  makeRate,
  makeRule,
} from '../case/plans.js';
import { type GroupTwin, OptimizerTwin } from '../model/twin.js';
import type { Loading } from './checkpoint.js';
import { HeardSteps } from './heard-steps.js';
import { type Home, TensorTwin } from '../model/twin-tensor.js';

/** A group that is to join. */
export interface Joiner {
  /** With the tensors that are new. */
  readonly group: GroupTwin;
  /** Those that are there already. */
  readonly moved: readonly TensorTwin[];
  /** The subject's, when it was asked for. */
  readonly evaluations: number;
}

/** A group as it is to be asked for. */
interface NextGroup {
  readonly joiner: Joiner;
  readonly config: AddedGroupConfig;
  /** The code that it has to be refused with, whatever else there is. */
  readonly refusal: OptimizerErrorCode | undefined;
}

/** Tensors that go by one rule. */
interface Part {
  readonly rule: Rule;
  readonly params: readonly TensorPlan[];
}

/** An optimizer with its model. */
export class Subject {
  readonly twin: OptimizerTwin;
  /** Once it is created. */
  optimizer: Optimizer | undefined;
  /** Settles when it is created, or is not to be had. */
  ready: Promise<unknown> = Promise.resolve();
  arena: ParameterArena | undefined;
  isArenaDestroyed = false;
  /** A checkpoint that is being loaded. */
  loading: Loading | undefined;
  /** How often what there is was changed: who loads meanwhile may find that it does not fit any more. */
  changes = 0;
  /** How often it was to evaluate: who was under way then may be refused. */
  evaluations = 0;
  /** The last call that was done and divides what had made the same steps: a step that left tensors out, or a load. */
  latestDivide = 0;
  /** The last call that was done and moved state, so that steps which were encoded before know it no more. */
  latestReshape = 0;
  /** Groups that were to join, and may have. */
  readonly joining = new Set<Joiner>();
  /** Tensors that were let go of. */
  readonly gone: TensorTwin[] = [];
  readonly #groupOf = new Map<ParameterGroup, GroupTwin>();
  /** By tensor, all homes that it ever had. */
  readonly homes = new Map<TensorTwin, Home[]>();

  private constructor(
    readonly plan: OptimizerPlan,
    private readonly device: GPUDevice,
    private readonly memory: Memory,
    readonly config: OptimizerConfig,
    /** What it told of its steps. */
    readonly heard: HeardSteps,
  ) {
    this.twin = new OptimizerTwin(plan);
  }

  /** Makes its buffers; the optimizer is yet to be created. */
  static async make(
    on: number,
    plan: OptimizerPlan,
    device: GPUDevice,
    memory: Memory,
    random: Random,
  ): Promise<Subject> {
    const tensors = plan.groups.flatMap((group) => group.tensors);
    const arena = plan.isInArena ? await makeArena(plan, device) : undefined;
    const homes = arena ? arenaHomes(arena, tensors, memory) : makeHomes(tensors, memory, random);
    if (arena) for (const { data } of homes) memory.write(data, random.weights(data[0]!.length));
    const options = plan.groups.map((group) => optionsOf(group));
    const params = tensors.map((tensor, k) => parameterOf(tensor, homes[k]!));
    const ofArena = arena?.groups(Object.fromEntries(options.map((each, g) => [`g${g}`, each])));
    let first = 0;
    const groups =
      ofArena ??
      plan.groups.map(({ tensors: own }, g) => {
        first += own.length;
        return { ...options[g], params: params.slice(first - own.length, first) };
      });
    const isPlain = !arena && groups.length === 1 && Object.keys(options[0]!).length === 0;
    const rule = makeRule(plan);
    const given = isPlain ? { params } : { groups };
    const heard = new HeardSteps();
    const onStep = plan.isHeard ? { onStep: heard.hear } : {};
    const config = {
      rule,
      kernel: plan.kernel,
      ...plan.settings,
      ...given,
      ...onStep,
      label: `optimizer ${on}`,
    } as OptimizerConfig;
    const subject = new Subject(plan, device, memory, config, heard);
    subject.arena = arena;
    let next = 0;
    for (const group of plan.groups) {
      const own = homes.slice(next, (next += group.tensors.length));
      subject.twin.groups.push(...subject.#makeGroups(group, own));
    }
    return subject;
  }

  /** As {@link create}, to go on where a checkpoint was saved. */
  restore(bytes: Uint8Array<ArrayBuffer>): Promise<Optimizer> {
    return Optimizer.restore(this.device, this.config, bytes);
  }

  create(): Promise<Optimizer> {
    return Optimizer.create(this.device, this.config);
  }

  createSync(): Optimizer {
    return Optimizer.createSync(this.device, this.config);
  }

  /**
   * A group that may be added.
   *
   * @param wanted tensors that are there and may move to it: mostly those do whose rule is that of the group.
   * @param hasNew whether new ones come, too, if there are any.
   * @returns undefined if there would be nobody in it.
   */
  nextGroup(random: Random, wanted: readonly TensorTwin[], hasNew: boolean): NextGroup | undefined {
    const there = [...this.twin.tensors, ...[...this.joining].flatMap(({ group }) => group.tensors)];
    const taken = new Set(there.map(({ name }) => name));
    const extra = this.plan.extra.find(({ tensors }) => tensors.every(({ name }) => !taken.has(name)));
    const back = this.gone.filter(({ name }) => !taken.has(name));
    const plan = this.#planOf(random, extra, back, wanted[0], hasNew);
    if (!plan) return undefined;
    const { tensors } = plan;
    const [first] = this.#partsOf(plan, tensors.length > 0 ? tensors : [wanted[0]!.plan]);
    const isOfRule = ({ rule }: TensorTwin) => rule.declaration === first!.rule.declaration;
    const moved = random.uniform() < 0.95 ? wanted.filter(isOfRule) : wanted;
    if (tensors.length + moved.length === 0) return undefined;
    const homes = tensors.map((tensor) => {
      const known = back.find((one) => one.plan === tensor);
      const isFree = known && !this.isArenaDestroyed && this.isFree(known.home.room, known);
      return isFree && random.uniform() < 0.7 ? known.home : makeHomes([tensor], this.memory, random)[0]!;
    });
    writeGradients(homes, this.memory, random, { hasExactNorms: this.plan.hasExactNorms, poison: undefined });
    const fresh = tensors.map((tensor, k) => parameterOf(tensor, homes[k]!));
    const names = moved.map((tensor) =>
      random.uniform() < 0.5 ? parameterOf(tensor.plan, tensor.home) : tensor.name,
    );
    const config = { ...optionsOf(plan), params: [...fresh, ...names] } as AddedGroupConfig;
    const [own, apart] = this.#partsOf(plan, [...tensors, ...moved.map((tensor) => tensor.plan)]);
    const refusal = apart ? 'invalid-config' : refusalOf(own!.rule, tensors, moved);
    const group = { rule: own!.rule, tensors: refusal ? [] : this.#makeTensors(own!.rule, tensors, homes) };
    return { joiner: { group, moved, evaluations: this.evaluations }, config, refusal };
  }

  #planOf(
    random: Random,
    extra: GroupPlan | undefined,
    back: readonly TensorTwin[],
    moved: TensorTwin | undefined,
    hasNew: boolean,
  ): GroupPlan | undefined {
    const options = random.uniform() < 0.3 ? { weightDecay: random.pick([0, 0.1]) } : {};
    const lr = random.uniform() < 0.3 ? { lr: drawRate(random) } : {};
    const returning = hasNew && back.length > 0 && random.uniform() < 0.6 ? random.pick(back) : undefined;
    if (hasNew && extra && !returning) return extra;
    const first = returning ?? moved;
    if (!first) return undefined;
    const isOthers = this.twin.rule.others !== undefined && !first.isMatrix;
    return { options, ...lr, ...(isOthers && { isOthers }), tensors: returning ? [returning.plan] : [] };
  }

  /** The rules of a group, and which of its tensors go by them. */
  #partsOf(plan: GroupPlan, tensors: readonly TensorPlan[]): readonly Part[] {
    return partGroup(
      resolveGroup<TensorPlan>(this.twin.rule, { ...optionsOf(plan), params: tensors }, 'group'),
    );
  }

  /**
   * Lets the model's groups join whose own have.
   *
   * @returns those that did.
   */
  notice(): Joiner[] {
    const { optimizer, twin } = this;
    const joined: Joiner[] = [];
    if (!optimizer) return joined;
    if (this.#groupOf.size === 0)
      optimizer.groups.forEach((group, g) => this.#groupOf.set(group, twin.groups[g]!));
    for (const group of optimizer.groups) {
      if (this.#groupOf.has(group)) continue;
      const joiner = [...this.joining].find(({ group: { tensors }, moved }) =>
        [...tensors, ...moved].some(({ name }) => group.params.includes(name)),
      );
      if (!joiner) throw new Error(`a group of ${group.params.join(', ')} joined that nobody added`);
      this.joining.delete(joiner);
      twin.join(joiner.group, joiner.moved);
      this.#groupOf.set(group, joiner.group);
      joined.push(joiner);
    }
    return joined;
  }

  /** Whether no other tensor lies there. */
  isFree({ data, grad }: Home['room'], owner: TensorTwin): boolean {
    const others = [...this.twin.tensors, ...[...this.joining].flatMap(({ group }) => group.tensors)];
    const taken = others
      .filter((tensor) => tensor !== owner)
      .flatMap(({ home }) => [...home.room.data, ...home.room.grad]);
    return [...data, ...grad].every((place) => !taken.some((other) => doMeet(place, other)));
  }

  /** Lets go of tensors. */
  remove(leaving: ReadonlySet<TensorTwin>): void {
    this.twin.remove(leaving);
    this.gone.push(...leaving);
  }

  /** The code that every call is refused with, if it is. */
  get refusal(): OptimizerErrorCode | undefined {
    return this.twin.isDestroyed || (this.isArenaDestroyed && this.#liesInArena) ? 'destroyed' : undefined;
  }

  /** Whether something of its parameters is the arena's: it may have been bound elsewhere since. */
  get #liesInArena(): boolean {
    const places = this.twin.tensors.flatMap(({ home }) => [...home.data, ...home.grad]);
    return places.some(({ buffer }) => buffer.hasPadding);
  }

  /** As {@link refusal}, of calls that need the weights that train. */
  get trainingRefusal(): OptimizerErrorCode | undefined {
    return this.refusal ?? (this.twin.isEvaluating ? 'invalid-config' : undefined);
  }

  #makeGroups(plan: GroupPlan, homes: readonly Home[]): GroupTwin[] {
    return this.#partsOf(plan, plan.tensors).map(({ rule, params }) => {
      const own = params.map((tensor) => homes[plan.tensors.indexOf(tensor)]!);
      return { rule, tensors: this.#makeTensors(rule, params, own) };
    });
  }

  #makeTensors(rule: Rule, plans: readonly TensorPlan[], homes: readonly Home[]): TensorTwin[] {
    const tensors = plans.map((tensor, k) => new TensorTwin(tensor, rule, homes[k]!));
    for (const tensor of tensors) this.homes.set(tensor, [tensor.home]);
    return tensors;
  }
}

/** What a group is refused with whose tensors go by a rule, if it is. */
function refusalOf(
  rule: Rule,
  fresh: readonly TensorPlan[],
  moved: readonly TensorTwin[],
): OptimizerErrorCode | undefined {
  const isUnfit = ({ shape = [], sparse, rows }: TensorPlan) =>
    rule.declaration.matrix !== undefined &&
    (shape.length < 2 || sparse !== undefined || rows?.hasMask === true);
  if (fresh.some(isUnfit)) return 'invalid-parameter';
  for (const tensor of moved) {
    if (isUnfit(tensor.plan)) return 'invalid-parameter';
    if (tensor.rule.declaration !== rule.declaration) return 'invalid-config';
  }
  return undefined;
}

/** Options of a group, a schedule of its own. */
function optionsOf({ options, lr, isOthers }: GroupPlan): Readonly<Record<string, unknown>> {
  return { ...options, ...(lr !== undefined && { lr: makeRate(lr) }), ...(isOthers && { others: true }) };
}

async function makeArena({ groups }: OptimizerPlan, device: GPUDevice): Promise<ParameterArena> {
  const entries = groups.flatMap(({ tensors }, g) =>
    tensors.map(({ name, length, shape = [length] }) => [name, { shape, group: `g${g}` }] as const),
  );
  return ParameterArena.create(device, Object.fromEntries(entries));
}
