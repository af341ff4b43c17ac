import type { Planned } from '../../gpu/pipelines.js';
import type { RuleLayout } from '../../kernel/rule-layout.js';
import { type PlanTensor, areSamePieces } from '../../plan/pieces.js';
import { planReduction, withGathered } from '../../plan/reduction.js';
import type { Control } from '../../stages/control/control.js';
import { planControlStage } from '../../stages/control/control-stage.js';
import { reductionFacts } from '../../stages/control/reduction-facts.js';
import type { MatrixStepping } from '../../stages/matrix/matrix-stage.js';
import { planClipStage } from '../../stages/norms/clip-stage.js';
import { SparseStage } from '../../stages/sparse/sparse-stage.js';
import type { Stage, StepContext } from '../../stages/stage.js';
import { planUpdate } from '../../stages/update/update-stage.js';
import { type GroupPart, type Holdings, measuringOf } from './group-part.js';
import { NO_BUFFER, type Resources } from './resources.js';

/** What kernels need of a {@link Control}. */
export type ControlFacts = Pick<Control, 'options' | 'row' | 'label'>;

/** A group as a generation steps it. */
export interface PartView {
  readonly layout: RuleLayout;
  readonly tensors: readonly PlanTensor<GPUBuffer>[];
  readonly label: string;
  /** Absent while no more is wanted than to know the kernels. */
  readonly part?: GroupPart;
}

/** A group's own stages, and the tensors and the layout that they were made for. */
interface PartStages {
  readonly layout: RuleLayout;
  readonly holdings: Holdings;
  readonly tensors: readonly PlanTensor<GPUBuffer>[];
  readonly stages: readonly Stage[];
}

/**
 * The stages of a step as they are between two changes: sums of sparse gradients, control, and per group measuring and
 * update. A change makes the next generation out of the last; of groups that it does not touch, the stages go on.
 */
export class Generation {
  readonly #stages: readonly Stage[];

  /** @param shared the stages of all groups, before those of each. */
  constructor(
    shared: readonly Stage[],
    readonly ofPart: ReadonlyMap<GroupPart, PartStages>,
  ) {
    this.#stages = [...shared, ...[...ofPart.values()].flatMap(({ stages }) => stages)];
  }

  /** Encodes a step. */
  encode(pass: GPUComputePassEncoder, step: StepContext): void {
    for (const stage of this.#stages) stage.encode(pass, step);
  }

  /** Encodes all that binds the caller's buffers, with nothing to do. */
  encodeProbe(pass: GPUComputePassEncoder, step: StepContext): void {
    for (const stage of this.#stages) stage.encodeProbe(pass, step);
  }

  /** The same over other buffers; see {@link Stage.prepareRebind}. */
  prepareRebind(changed: ReadonlyMap<number, PlanTensor<GPUBuffer>>): () => void {
    let seen = changed;
    const commits = this.#stages.map((stage) => {
      const commit = stage.prepareRebind(seen);
      if (stage.withGradients)
        seen = new Map(stage.withGradients([...seen.values()]).map((tensor) => [tensor.index, tensor]));
      return commit;
    });
    return () => {
      for (const commit of commits) commit();
    };
  }

  /** The stages that another generation does not go on with. */
  without(next: Generation | undefined): Stage[] {
    const kept = new Set(next ? next.#stages : []);
    return this.#stages.filter((stage) => !kept.has(stage));
  }
}

/**
 * Plans the generation of some groups.
 *
 * @param control decides on the GPU; absent where nothing is to be decided. To know the kernels, what it is made of will do.
 * @param previous whose stages go on where nothing has changed for them.
 */
export function planGeneration(
  resources: Resources,
  control: Control | ControlFacts | undefined,
  views: readonly PartView[],
  previous?: Generation,
): Planned<Generation> {
  const tensors = views.flatMap((view) => view.tensors);
  // A rule that measures tensors steps each by itself.
  const gathers = views.every(({ layout }) => !layout.tensor);
  const reduction =
    control && planReduction(tensors, reductionFacts(resources.device, resources.facts), gathers);
  const planControl = (workspace: GPUBuffer) => {
    if (!control || !reduction) return [];
    const { device, bindGroups } = resources;
    // Planning reads no more of it than its facts.
    const parts = { control: control as Control, tensors, reduction, workspace, bindGroups };
    return [planControlStage(device, parts)];
  };
  const gathered = (list: readonly PlanTensor<GPUBuffer>[]) =>
    reduction ? withGathered(list, reduction.gathered, NO_BUFFER) : list;
  const planClip = (list: readonly PlanTensor<GPUBuffer>[]) =>
    resources.clipped && list.length > 0
      ? planClipStage({ ...resources, tensors: list, copies: resources.clipped, isShared: gathers })
      : undefined;
  const clip = planClip(gathered(tensors));
  const planned = [
    ...planControl(NO_BUFFER),
    ...(clip ? [clip] : []),
    ...views.flatMap((view) => {
      const own = gathered(view.tensors);
      return planPart(resources, view, clip ? clip.withGradients(own) : own);
    }),
  ];
  return {
    sources: planned.flatMap(({ sources }) => sources),
    make: () => {
      // One per dispatch.
      resources.bindGroups.expect(planned.flatMap(({ sources }) => sources).length);
      const workspace = reduction ? (control as Control).workspace(reduction.workspaceByteLength) : NO_BUFFER;
      const [controlStage] = planControl(workspace).map((plan) => plan.make());
      const reduced = (list: readonly PlanTensor<GPUBuffer>[]) =>
        controlStage ? controlStage.withGradients(list) : list;
      const clipStage = planClip(reduced(tensors))?.make();
      const ofPart = new Map<GroupPart, PartStages>();
      for (const view of views) {
        const before = reduced(view.tensors);
        const own = clipStage ? clipStage.withGradients(before) : before;
        const known = previous?.ofPart.get(view.part!);
        const { holdings } = view.part!;
        const isKept =
          known?.layout === view.layout && known.holdings === holdings && areSame(known.tensors, own);
        const made = () => planPart(resources, view, own).map((plan) => plan.make());
        ofPart.set(
          view.part!,
          isKept ? known : { layout: view.layout, holdings, tensors: own, stages: made() },
        );
      }
      const summed = views.flatMap((view) => view.part!.summedRows(view.tensors));
      const sparse = summed.length > 0 ? [new SparseStage(summed)] : [];
      const shared = [controlStage, clipStage].filter((stage) => stage !== undefined);
      return new Generation([...sparse, ...shared], ofPart);
    },
  };
}

/** The stages of one group: measuring, if its rule does, and update. */
function planPart(
  resources: Resources,
  { layout, label, part }: PartView,
  tensors: readonly PlanTensor<GPUBuffer>[],
): Planned<Stage>[] {
  // All frozen.
  if (tensors.length === 0) return [];
  const records = part?.records;
  const slab = (name: string, index: number) => part!.slabs.slab(name, index);
  const input = { ...resources, layout, label, tensors, slab };
  const { matrix } = layout.rule.declaration;
  if (matrix) return [(matrix.stage as MatrixStepping).planStage({ ...input, records })];
  const update = planUpdate({ ...input, record: records && ((tensor) => records.binding(tensor)) });
  const measuring = measuringOf(layout);
  return measuring ? [measuring.planStage({ ...input, records }), update] : [update];
}

/** Whether stages that were made for some tensors fit others: the same rows and places. */
function areSame(a: readonly PlanTensor<GPUBuffer>[], b: readonly PlanTensor<GPUBuffer>[]): boolean {
  return (
    a.length === b.length &&
    a.every((tensor, k) => {
      const other = b[k]!;
      return (
        tensor.index === other.index &&
        tensor.row === other.row &&
        areSamePieces(tensor.data, other.data) &&
        areSamePieces(tensor.grad!, other.grad!)
      );
    })
  );
}
