import { VECTOR, alignDown, alignUp } from '../../kernel/alignment.js';
import { type KernelShape, chooseGrid } from '../../kernel/shape.js';
import { bindingAlignment } from '../plan/binding.js';
import type { Piece, PlanLimits, PlannedBinding } from '../plan/planned.js';

/** One dispatch of the gradient reduction: a stretch of a buffer, in the words of the WGSL struct `Stretch`. */
export interface PlannedStretch<B> {
  readonly binding: PlannedBinding<B>;
  readonly shape: KernelShape;
  readonly grid: readonly [number, number];
  readonly stretch: readonly number[];
}

/** The reduction of all gradients, and how many partials it leaves. */
export interface ReductionPlan<B> {
  readonly stretches: readonly PlannedStretch<B>[];
  readonly partialCount: number;
}

const WORD = 4;

/** Cuts gradients at the binding limit, and each stretch into whole vec4s and up to three words at either end. */
export function planReduction<B>(
  pieces: readonly Piece<B>[],
  limits: PlanLimits,
  maxPerDimension: number,
  chooseShape: (laneCount: number) => KernelShape,
): ReductionPlan<B> {
  const alignment = bindingAlignment(limits);
  const maxByteLength = alignDown(limits.maxStorageBufferBindingSize, alignment) - alignment;
  const stretches: PlannedStretch<B>[] = [];
  let partialCount = 0;
  for (const { buffer, byteOffset, byteLength } of pieces) {
    for (let done = 0; done < byteLength; done += maxByteLength) {
      const start = byteOffset + done;
      const end = Math.min(start + maxByteLength, byteOffset + byteLength);
      const offset = alignDown(start, alignment);
      const firstVector = Math.min(alignUp(start, VECTOR), end);
      const vectorCount = Math.floor((end - firstVector) / VECTOR);
      const tail = firstVector + vectorCount * VECTOR;
      const shape = chooseShape(vectorCount);
      const workgroupCount = Math.max(
        1,
        Math.ceil(vectorCount / (shape.workgroupSize * shape.lanesPerInvocation)),
      );
      stretches.push({
        binding: { buffer, offset, size: end - offset },
        shape,
        grid: chooseGrid(Math.max(vectorCount, 1), shape, maxPerDimension),
        stretch: [
          vectorCount,
          vectorCount === 0 ? 0 : (firstVector - offset) / VECTOR,
          (firstVector - start) / WORD,
          (start - offset) / WORD,
          (end - tail) / WORD,
          (tail - offset) / WORD,
          partialCount,
          workgroupCount,
        ],
      });
      partialCount += workgroupCount;
    }
  }
  return { stretches, partialCount };
}
