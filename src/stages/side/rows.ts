import { makeBuffer } from '../../gpu/make-buffer.js';
import clearWgsl from '../../../shaders/stages/rows/clear.wgsl?raw';
import { byteLengthOf } from '../../codecs/codec.js';
import { f32 } from '../../codecs/f32.js';
import * as BufferUsage from '../../gpu/buffer-usage.js';
import type { ByteRange } from '../../gpu/copies/byte-range.js';
import type { PlanTensor } from '../../plan/pieces.js';
import { placeState } from '../../plan/plan.js';
import { commonOptions } from '../../rules/options/common-options.js';
import { declareRule } from '../../rules/declaring/declare-rule.js';
import { pack } from './recode.js';
import { type SidePass, type SidePassInput, planSidePass } from './side-pass.js';

const clear = declareRule({
  name: 'clear',
  wgsl: clearWgsl,
  options: commonOptions(0),
  scalars: () => ({}),
  reference: ({ scalar }) => scalar(0),
});

type Input = Omit<SidePassInput, 'rule' | 'rows' | 'slab'>;

/** Makes what zeroes gradients whose rows lie apart: tensors with these as `data`. Run it in error scopes. */
export function makeClearing(input: Input): SidePass {
  return planSidePass({ ...input, rule: clear(), rows: [{}] }).make();
}

/** A copy of a tensor without gaps. */
export interface PackedTensor {
  /** Where it lies, in order. */
  readonly ranges: readonly ByteRange[];
  encode(pass: GPUComputePassEncoder): void;
  destroy(): void;
}

/** Makes what copies a tensor whose rows lie apart; run it in error scopes. */
export function makePacking(input: Omit<Input, 'tensors'>, tensor: PlanTensor<GPUBuffer>): PackedTensor {
  const { device, facts, label } = input;
  const { stateOfTensor, slabElementCounts } = placeState([tensor], facts, false);
  const state = stateOfTensor.get(tensor.index)!;
  const usage = BufferUsage.STORAGE | BufferUsage.COPY_SRC;
  const slabs = slabElementCounts.map((elementCount, k) =>
    makeBuffer(device, `${label} copy ${k}`, byteLengthOf(f32, elementCount), usage),
  );
  const tensors = [{ ...tensor, state }];
  const side = planSidePass({
    ...input,
    tensors,
    rule: pack(),
    rows: [{}],
    slab: (_, index) => slabs[index]!,
  }).make();
  return {
    ranges: state.map(({ slab, element, elementCount }) => ({
      buffer: slabs[slab]!,
      byteOffset: byteLengthOf(f32, element),
      byteLength: byteLengthOf(f32, elementCount),
    })),
    encode: (pass) => side.encode(pass),
    destroy: () => {
      side.destroy();
      for (const slab of slabs) slab.destroy();
    },
  };
}
