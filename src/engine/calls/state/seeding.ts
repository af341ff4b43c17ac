import { planSeeding } from '../../../stages/side/seeding.js';
import { slicePieces } from '../../../plan/cut.js';
import type { PlanTensor } from '../../../plan/pieces.js';
import type { GroupPart, RunTensor } from '../../run/group-part.js';
import type { Run } from '../../run/run.js';
import type { ElementRange } from './state-input.js';

/** An average of a tensor that is to begin from the weights as they are. */
export interface Seed {
  readonly tensor: RunTensor;
  readonly slot: string;
  /** Absent for all of it. */
  readonly ranges?: readonly ElementRange[] | undefined;
}

/**
 * Encodes that averages begin from the weights as they are then.
 *
 * @returns what frees what it made, once all is submitted.
 */
export function encodeSeeds(
  { resources }: Pick<Run, 'resources'>,
  encoder: GPUCommandEncoder,
  seeds: readonly Seed[],
): () => void {
  if (seeds.length === 0) return () => undefined;
  const { device, facts, nameOf, label } = resources;
  const passes = [...groupByPlace(seeds)].map(({ part, slot, tensors }) =>
    planSeeding({
      device,
      facts,
      nameOf,
      tensors,
      slab: (_, index) => part.slabs.slab(slot, index),
      label: `${label} ${slot}`,
    }).make(),
  );
  const pass = encoder.beginComputePass({ label: `${label} averages` });
  for (const side of passes) side.encode(pass);
  pass.end();
  return () => {
    for (const side of passes) side.destroy();
  };
}

interface Place {
  readonly part: GroupPart;
  readonly slot: string;
  readonly tensors: PlanTensor<GPUBuffer>[];
}

/** One pass per group and slot. */
function groupByPlace(seeds: readonly Seed[]): Iterable<Place> {
  const places = new Map<string, Place>();
  for (const { tensor, slot, ranges } of seeds) {
    const { part, index } = tensor;
    const key = `${part.label} ${slot}`;
    let place = places.get(key);
    if (!place) places.set(key, (place = { part, slot, tensors: [] }));
    const { data, state } = part.planTensor(tensor);
    const { rowLength } = tensor.parameter;
    const all = [{ first: 0, elementCount: Infinity }];
    for (const { first, elementCount } of ranges ?? all) {
      place.tensors.push({
        index,
        row: 0,
        data: slicePieces(data, first, elementCount),
        state: slicePieces(state!, first, elementCount),
        // Rows that lie apart are copied row by row.
        ...(rowLength !== undefined && data.some(({ rows }) => rows) && { rowLength }),
      });
    }
  }
  return places.values();
}
