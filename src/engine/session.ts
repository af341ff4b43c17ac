import { captureErrors, refusalError } from '../gpu/refusal.js';
import { arenasAmong, rejectDestroyedArena } from '../gpu/arena-buffers.js';
import { type Assembled, assemble } from './run/assemble.js';
import { UsageGuard } from './guard.js';
import type { ResolvedConfig } from './input/config.js';
import { NameTable } from './input/names.js';
import { Occupancy } from './input/parameter/occupancy.js';
import type { ResolvedParameter } from './input/parameter/parameter.js';
import { type GroupHost, ParameterGroup } from './parameter-group.js';
import { planRun } from './run/plan-run.js';
import type { Run, Watch } from './run/run.js';
import type { RunTensor } from './run/group-part.js';
import { StepLog } from './run/step-log.js';
import type { PipelineSource } from '../gpu/pipelines.js';
import type { Reader } from '../gpu/copies/readback.js';

/** What an optimizer is beside what it has on the GPU: who may use it, what it has counted, who its parameters are. */
export class Session {
  readonly guard: UsageGuard;
  readonly log = new StepLog();
  readonly names = new NameTable<RunTensor>();
  /** Names of parameters whose group is about to join, and whose call that is: of those that move until they are removed. */
  readonly joining = new Map<string, unknown>();
  /** Parameters that there have been, with those that are about to join. */
  parameterCount: number;
  readonly occupancy = new Occupancy();
  /** Calls of `mapRows`: what lies elsewhere, row by row, does not follow them. */
  mappingCount = 0;
  #groups: readonly ParameterGroup[];

  constructor(
    readonly device: GPUDevice,
    readonly config: ResolvedConfig,
  ) {
    this.guard = new UsageGuard(device);
    const parameters = config.groups.flatMap((group) => group.parameters);
    this.names.rejectTaken(parameters.map(({ name }) => name));
    this.occupancy.claim(parameters);
    this.parameterCount = parameters.length;
    const groups = config.groups.map(({ rule, parameters: own }) => this.makeGroup(rule, own));
    this.#groups = Object.freeze(groups);
  }

  /** The groups that have joined, in order. */
  get groups(): readonly ParameterGroup[] {
    return this.#groups;
  }

  /** Lists the groups, and their parameters, as a run has them after they have changed. */
  followRun({ parts }: Run): void {
    for (const { group, tensors } of parts)
      group.replaceParams(tensors.map(({ parameter }) => parameter.name));
    this.#groups = Object.freeze(parts.map(({ group }) => group));
    this.refreshArenas();
  }

  makeGroup(
    rule: ResolvedConfig['groups'][number]['rule'],
    parameters: readonly Pick<ResolvedParameter, 'name'>[],
  ): ParameterGroup {
    const host: GroupHost = { currentStep: () => this.log.asked, check: (call) => this.guard.check(call) };
    return new ParameterGroup(
      rule,
      parameters.map(({ name }) => name),
      host,
    );
  }

  /** Makes GPU objects in the midst of the run; what the device has against them ends it. */
  readonly watch: Watch = (make, onFine) => {
    const { value, refusal } = captureErrors(this.device, make);
    const check = async (): Promise<void> => {
      const met = await refusal;
      if (met) throw refusalError(this.device, met, 'the optimizer could not make what it needs', REMEDIES);
      onFine?.();
    };
    this.guard.failWith(check());
    return value;
  };

  /** Plans the run; all that is left then is to make it. */
  plan(): { readonly sources: readonly PipelineSource[]; assemble(): Assembled<Run> } {
    const { device, config, groups } = this;
    const planned = planRun(device, config, groups, this.watch);
    const { sources } = planned;
    const parameters = config.groups.flatMap((group) => group.parameters);
    return {
      sources,
      assemble: () =>
        assemble(device, {
          make: () => planned.make(),
          sources,
          parameters,
          probe: (run, pass) => run.encodeProbe(pass),
          stateByteLength: (run) => run.stateByteLength,
        }),
    };
  }

  /** Lets the tensors of a run be found. */
  adopt(tensors: Iterable<RunTensor>): void {
    for (const tensor of tensors) this.names.set(tensor.parameter.name, tensor);
    this.refreshArenas();
  }

  /** The arenas that the parameters lie in now. */
  refreshArenas(): void {
    this.guard.arenas = arenasAmong(buffersOf([...this.names.values()].map(({ parameter }) => parameter)));
  }

  /**
   * @returns whether parameters lie in an arena.
   * @throws OptimizerError `destroyed` if they lie in one that is.
   */
  rejectDestroyedArenas(parameters: readonly ResolvedParameter[], call: string): boolean {
    const arenas = arenasAmong(buffersOf(parameters));
    rejectDestroyedArena(arenas, call);
    return arenas.length > 0;
  }
}

const buffersOf = (parameters: readonly ResolvedParameter[]): GPUBuffer[] =>
  parameters.flatMap(({ data, grad }) => [...data, ...grad].map(({ buffer }) => buffer));

const REMEDY = 'Calls since then had no effect; create the optimizer anew from a state dict.';
const REMEDIES = { shortage: REMEDY, rejection: REMEDY };

/** What functions of the library that are imported by themselves know of an optimizer. */
export interface Insides {
  readonly session: Session;
  readonly run: Run;
  readonly reader: Reader;
}
