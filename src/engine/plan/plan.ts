import { bindingAlignment } from './binding.js';
import { cutIntoChunks } from './chunks.js';
import { planChunk } from './dispatches.js';
import { planNamedRows } from './named-rows.js';
import type { Piece, Plan, PlanLimits, PlannedChunk, PlannedDispatch, StateRegion } from './planned.js';
import { type PaddingOf, type Tensor, asRun, findRuns } from './runs.js';
import { StateAllocator, regionsOf } from './state-regions.js';

const callersOwn = (): number => 0;

/**
 * Joins neighbouring tensors, and cuts them into dispatches: at buffer boundaries, at the binding limit, and into an
 * aligned body (four elements a lane) and its edges (one element a lane).
 *
 * @param tensors one per parameter.
 * @param hasState whether the rule keeps state at all.
 * @param paddingOf what may lie between neighbours. Default: nothing.
 * @param joins whether neighbours may be joined at all. Default true.
 */
export function planDispatches<B>(
  tensors: readonly Tensor<B>[],
  limits: PlanLimits,
  hasState: boolean,
  paddingOf: PaddingOf<B> = callersOwn,
  joins = true,
): Plan<B> {
  const alignment = bindingAlignment(limits);
  const state = new StateAllocator(limits.maxBufferSize, alignment);
  const dispatches: PlannedDispatch<B>[] = [];
  const chunks: PlannedChunk<B>[] = [];
  const stateRegions: StateRegion[][] = tensors.map(() => []);
  const allocate = ({ byteOffset, byteLength }: Piece<B>): StateRegion =>
    hasState
      ? state.allocate(byteLength, byteOffset % 16)
      : { bufferIndex: 0, byteOffset: byteOffset % 16, byteLength };
  const runs = joins ? findRuns(tensors, paddingOf) : tensors.map(asRun);
  for (const { data, grad, named, members } of runs) {
    const parameterIndex = members[0]!.index;
    const regions: StateRegion[] = [];
    if (named) {
      const region = allocate(data[0]!);
      dispatches.push(planNamedRows(parameterIndex, data[0]!, grad[0]!, named, region, alignment));
      regions.push(region);
    }
    for (const chunk of named
      ? []
      : cutIntoChunks(data, grad, limits.maxStorageBufferBindingSize, alignment)) {
      const region = allocate(chunk.data);
      dispatches.push(...planChunk(parameterIndex, chunk, region, limits, alignment));
      chunks.push({ parameterIndex, ...chunk, state: region });
      regions.push(region);
    }
    for (const member of members) stateRegions[member.index] = regionsOf(member, regions);
  }
  return { dispatches, chunks, stateRegions, stateByteLengths: state.byteLengths };
}
