import { OptimizerError } from '../errors.js';
import { type ArenaBuffer, arenasAmong } from './arena-buffers.js';
import { encodeOrSubmit } from './commands.js';
import { type ParameterGroupConfig, type ResolvedConfig, extendConfig } from './config.js';
import { ParameterGroup } from './group.js';
import { ParameterTable } from './parameter-table.js';
import { type BufferChange, replaceBuffers } from './rebind.js';
import type { StepLog } from './step-log.js';
import { StepRunner } from './step-runner.js';
import type { UsageGuard } from './usage-guard.js';

/** The groups of an optimizer and what steps them: a config, and all that follows from it, replaced as a whole. */
export class Roster {
  #config: ResolvedConfig;
  #runner: StepRunner;
  #groups: readonly ParameterGroup[] = [];
  #table!: ParameterTable;
  // Groups are added one after the other, however they are asked for.
  #adding: Promise<unknown> = Promise.resolve();
  #addingCount = 0;
  #joined: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly device: GPUDevice,
    config: ResolvedConfig,
    runner: StepRunner,
    private readonly guard: UsageGuard,
    private readonly log: StepLog,
  ) {
    this.#config = config;
    this.#runner = runner;
    this.#adopt(config, runner);
  }

  get config(): ResolvedConfig {
    return this.#config;
  }

  /** Steps all groups; another one when a group has joined. */
  get runner(): StepRunner {
    return this.#runner;
  }

  get groups(): readonly ParameterGroup[] {
    return this.#groups;
  }

  get table(): ParameterTable {
    return this.#table;
  }

  /** Resolves when the steps applied before each group joined are known. */
  get joined(): Promise<unknown> {
    return this.#joined;
  }

  /** As `Optimizer.addGroup`. */
  add(group: ParameterGroupConfig): Promise<ParameterGroup> {
    this.#addingCount++;
    const added = this.#adding.then(() => this.#add(group)).finally(() => this.#addingCount--);
    this.#adding = added.catch(() => undefined);
    return added;
  }

  /** As `Optimizer.addGroupSync`. */
  addSync(group: ParameterGroupConfig): ParameterGroup {
    if (this.#addingCount > 0) {
      throw new OptimizerError('invalid-config', 'addGroupSync(): addGroup() is under way; await it first.');
    }
    const config = extendConfig(this.#config, group);
    const { runner, checked } = StepRunner.createSync(this.device, config, this.#runner);
    this.guard.failWith(checked);
    this.#grow(config, runner);
    return this.#groups.at(-1)!;
  }

  /** As `Optimizer.rebind`. */
  rebind(changes: Readonly<Record<string, BufferChange>>): void {
    const groups = replaceBuffers(this.#config.groups, changes);
    if (!groups) return;
    this.#runner.rebind(groups);
    this.#adopt({ ...this.#config, groups }, this.#runner);
  }

  async #add(group: ParameterGroupConfig): Promise<ParameterGroup> {
    this.guard.checkTraining('addGroup');
    const config = extendConfig(this.#config, group);
    const runner = await StepRunner.create(this.device, config, this.#runner);
    try {
      this.guard.checkTraining('addGroup');
    } catch (error) {
      runner.destroyOwn();
      throw error;
    }
    this.#grow(config, runner);
    const added = this.#groups.at(-1)!;
    await this.#joined;
    return added;
  }

  /** Takes over a runner, and makes what follows from its config; groups that were there stay the same objects. */
  #adopt(config: ResolvedConfig, runner: StepRunner, joinedAt = 0): void {
    this.#config = config;
    this.#runner = runner;
    const groups = config.groups.map(({ rule, parameters }, g) => {
      const names = parameters.map(({ name }) => name);
      return this.#groups[g] ?? new ParameterGroup(rule, names, () => this.log.count, joinedAt);
    });
    this.#groups = Object.freeze(groups);
    const states = runner.executors.map(({ state }) => state);
    this.#table = new ParameterTable(this.device, config.groups, states);
    this.guard.arenas = arenasOf(config);
  }

  /** Takes over a runner with one more group, and gives it what the present one's control pass has decided so far. */
  #grow(config: ResolvedConfig, runner: StepRunner): void {
    const before = this.#runner.control;
    let applied: Promise<{ step: number }> | undefined;
    if (before && runner.control) {
      const { control } = runner;
      encodeOrSubmit(this.device, undefined, this.#config.label, 'join', (commands) =>
        control.inherit(before, commands),
      );
      // Its ring is unused, so this reads right behind the copy.
      applied = runner.stats!.read();
    }
    this.#adopt(config, runner, this.log.count);
    if (!applied) return;
    const group = this.#groups.at(-1)!;
    const known = applied.then(({ step }) => (group.joinedAt = step));
    this.#joined = Promise.all([this.#joined, known]);
    // Destroyed or lost meanwhile: whoever waits for it will know.
    this.#joined.catch(() => undefined);
  }
}

/** The arenas that a config's parameters lie in. */
export function arenasOf({ groups }: ResolvedConfig): ArenaBuffer[] {
  const parameters = groups.flatMap((group) => group.parameters);
  return arenasAmong(parameters.flatMap(({ data, grad }) => [...data, ...grad].map(({ buffer }) => buffer)));
}
