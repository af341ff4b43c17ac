import { BindGroups } from '../../gpu/bind-groups.js';
import type { Planned } from '../../gpu/pipelines.js';
import { rowLayout } from '../../kernel/row.js';
import { type Codec, stateFormOf } from '../../codecs/codec.js';
import { f32 } from '../../codecs/f32.js';
import type { Masters } from '../../codecs/masters.js';
import { layoutOf } from '../../kernel/rule-layout.js';
import type { PlanTensor } from '../../plan/pieces.js';
import type { StretchFacts } from '../../plan/stretch.js';
import type { Rule } from '../../rules/rule.js';
import { FixedRows } from '../fixed-rows.js';
import { createPagesLayout } from '../pages.js';
import type { StepContext } from '../stage.js';
import { type UpdateStage, planUpdate } from '../update/update-stage.js';

/** An operation beside the steps, in the form of a rule: so it shares their kernels' lanes and bindings. */
export interface SidePassInput {
  readonly device: GPUDevice;
  readonly facts: StretchFacts<GPUBuffer>;
  readonly rule: Rule;
  /** What it is done to; all in row 0. */
  readonly tensors: readonly PlanTensor<GPUBuffer>[];
  /** How the rule's slots lie; default float32. */
  readonly codec?: Codec;
  /** What keeps the weights more exactly, if anything does. */
  readonly masters?: Masters | undefined;
  /** Where a slot of the rule, or of these, lies. */
  readonly slab?: (slot: string, index: number) => GPUBuffer;
  readonly nameOf: (tensor: number) => string;
  /** The numbers that it may be encoded with. */
  readonly rows: readonly Readonly<Record<string, number>>[];
  readonly label: string;
}

/** Such an operation, made with all that it may be asked for: encoding it creates nothing. */
export class SidePass {
  readonly #contexts: readonly StepContext[];
  readonly #idle: StepContext;

  constructor(
    private readonly stage: UpdateStage,
    /** Behind those that it may be encoded with, one that does nothing. */
    readonly rows: FixedRows,
    rowCount: number,
  ) {
    this.#contexts = Array.from({ length: rowCount }, (_, k) => rows.context(k));
    this.#idle = rows.context(rowCount);
  }

  /** @param k which of the numbers that it was made with. */
  encode(pass: GPUComputePassEncoder, k = 0): void {
    this.stage.encode(pass, this.#contexts[k]!);
  }

  /** As `Stage.encodeProbe`. */
  encodeProbe(pass: GPUComputePassEncoder): void {
    this.stage.encodeProbe(pass, this.#idle);
  }

  destroy(): void {
    this.stage.destroy();
    this.rows.destroy();
  }
}

/** Plans such an operation. */
export function planSidePass(input: SidePassInput): Planned<SidePass> {
  const { device, rule, rows, label, codec = f32, masters } = input;
  const ofRule = layoutOf(rule);
  const layout = {
    ...ofRule,
    masters,
    elementSlots: [...ofRule.laneSlots, ...(masters ? [masters.slot] : [])],
    codecOf: (slot: string) => (slot === masters?.slot ? masters.codec : codec),
    stateForm: stateFormOf([f32, codec, ...(masters ? [masters.codec] : [])]),
  };
  const row = rowLayout(layout);
  const plan = planUpdate({
    ...input,
    layout,
    row,
    isClamped: false,
    shape: {},
    slab: input.slab ?? noSlab,
    bindGroups: new BindGroups(device),
  });
  return {
    sources: plan.sources,
    make: () => {
      const pagesLayout = createPagesLayout(device, row, label);
      const values = [...rows, { is_active: 0 }].map((given) => ({ ...layout.values(0, 1), ...given }));
      return new SidePass(plan.make(), new FixedRows(device, row, pagesLayout, values, label), rows.length);
    },
  };
}

function noSlab(): never {
  throw new Error('This operation keeps nothing.');
}
