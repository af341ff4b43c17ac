import { adapterInfoOf } from '../../gpu/adapter-info.js';
import { chooseShape } from '../../kernel/shape.js';
import { type ReductionFacts, SHORT_LANES } from '../../plan/reduction.js';
import type { StretchFacts } from '../../plan/stretch.js';

/** Gradients are only read: on GPUs, more lanes per invocation leave fewer partials to decide from. */
const MIN_LANES_PER_INVOCATION = 16;

/** What planning a reduction on a device must know, beside what all planning must. */
export function reductionFacts<B>(
  device: Pick<GPUDevice, 'adapterInfo'>,
  facts: StretchFacts<B>,
): ReductionFacts<B> {
  const info = adapterInfoOf(device);
  const short = chooseShape(info, SHORT_LANES);
  return {
    ...facts,
    shapeOf: (laneCount, isShort) => {
      if (isShort) return short;
      const shape = chooseShape(info, laneCount);
      return {
        ...shape,
        lanesPerInvocation: Math.max(shape.lanesPerInvocation, MIN_LANES_PER_INVOCATION),
      };
    },
  };
}
