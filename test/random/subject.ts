import type { Random } from '../../proof/random.js';
import {
  Optimizer,
  type OptimizerConfig,
  type OptimizerErrorCode,
  type ParameterGroupConfig,
  ParameterArena,
} from '../../src/index.js';
import { overrideRule } from '../../src/rules/rule.js';
import { arenaHomes, makeHomes, parameterOf, writeGradients } from './homes.js';
import type { Memory } from './memory.js';
import { type GroupPlan, type OptimizerPlan, makeRate, makeRule } from './plans.js';
import { type GroupTwin, OptimizerTwin } from './twin.js';
import { type Home, TensorTwin } from './twin-tensor.js';

/** An optimizer with its model. */
export class Subject {
  readonly twin: OptimizerTwin;
  /** Once it is created. */
  optimizer: Optimizer | undefined;
  /** Settles when it is created, or is not to be had. */
  ready: Promise<unknown> = Promise.resolve();
  arena: ParameterArena | undefined;
  isArenaDestroyed = false;
  /** How often it was to evaluate: who was under way then may be refused. */
  evaluations = 0;
  /** The last call that was done and divides what had made the same steps: a step that left tensors out, or a load. */
  latestDivide = 0;
  /** Groups that were to join, and may have. */
  readonly joining = new Set<GroupTwin>();
  /** By tensor, all homes that it ever had. */
  readonly homes = new Map<TensorTwin, Home[]>();

  private constructor(
    readonly plan: OptimizerPlan,
    private readonly device: GPUDevice,
    private readonly memory: Memory,
    readonly config: OptimizerConfig,
  ) {
    this.twin = new OptimizerTwin(plan);
  }

  /** Makes its buffers; the optimizer is yet to be created. */
  static async make(
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
    const config = { rule, ...plan.settings, ...(isPlain ? { params } : { groups }) } as OptimizerConfig;
    const subject = new Subject(plan, device, memory, config);
    subject.arena = arena;
    let next = 0;
    for (const group of plan.groups) {
      const own = homes.slice(next, (next += group.tensors.length));
      subject.twin.groups.push(subject.#makeGroup(group, own));
    }
    return subject;
  }

  create(): Promise<Optimizer> {
    return Optimizer.create(this.device, this.config);
  }

  createSync(): Optimizer {
    return Optimizer.createSync(this.device, this.config);
  }

  /** A group that may be added and is not there, if any. */
  nextGroup(random: Random): { twin: GroupTwin; config: ParameterGroupConfig } | undefined {
    const taken = new Set(
      [...this.twin.groups, ...this.joining].flatMap(({ tensors }) => tensors.map(({ name }) => name)),
    );
    const plan = this.plan.extra.find(({ tensors }) => !taken.has(tensors[0]!.name));
    if (!plan) return undefined;
    const homes = makeHomes(plan.tensors, this.memory, random);
    writeGradients(homes, this.memory, random, { hasExactNorms: this.plan.hasExactNorms, poison: undefined });
    const params = plan.tensors.map((tensor, k) => parameterOf(tensor, homes[k]!));
    const config = { ...optionsOf(plan), params } as ParameterGroupConfig;
    return { twin: this.#makeGroup(plan, homes), config };
  }

  /** Lets the model's groups join whose own have. */
  notice(): void {
    const groups = this.optimizer?.groups ?? [];
    for (const { params } of groups.slice(this.twin.groups.length)) {
      const joined = [...this.joining].find(({ tensors }) => tensors[0]!.name === params[0]);
      if (!joined) throw new Error(`a group of ${params.join(', ')} joined that nobody added`);
      this.joining.delete(joined);
      this.twin.groups.push(joined);
    }
  }

  /** The code that every call is refused with, if it is. */
  get refusal(): OptimizerErrorCode | undefined {
    return this.twin.isDestroyed || this.isArenaDestroyed ? 'destroyed' : undefined;
  }

  /** As {@link refusal}, of calls that need the weights that train. */
  get trainingRefusal(): OptimizerErrorCode | undefined {
    return this.refusal ?? (this.twin.isEvaluating ? 'invalid-config' : undefined);
  }

  #makeGroup(plan: GroupPlan, homes: readonly Home[]): GroupTwin {
    const rule = overrideRule(this.twin.rule, optionsOf(plan));
    const tensors = plan.tensors.map(({ name }, k) => new TensorTwin(name, rule, homes[k]!));
    for (const tensor of tensors) this.homes.set(tensor, [tensor.home]);
    return { rule, tensors };
  }
}

/** Options of a group, a schedule of its own. */
function optionsOf({ options, lr }: GroupPlan): Readonly<Record<string, unknown>> {
  return { ...options, ...(lr !== undefined && { lr: makeRate(lr) }) };
}

async function makeArena({ groups }: OptimizerPlan, device: GPUDevice): Promise<ParameterArena> {
  const entries = groups.flatMap(({ tensors }, g) =>
    tensors.map(({ name, length }) => [name, { shape: [length], group: `g${g}` }] as const),
  );
  return ParameterArena.create(device, Object.fromEntries(entries));
}
