import { OptimizerError } from '../../errors.js';
import { bindingAlignment } from '../../plan/cut.js';
import { type Binding, type PlanLimits, type PlanTensor, elementByteLengthOf } from '../../plan/pieces.js';
import type { ReductionPlan } from '../../plan/reduction.js';

/** Where a run of gradients lies now: in which buffer, and how many bytes further on than it was planned. */
interface Place {
  readonly buffer: GPUBuffer;
  readonly shift: number;
}

/** The part of a plan that says which ranges of runs its dispatches bind. */
export interface BoundRuns extends Pick<ReductionPlan<GPUBuffer>, 'runs'> {
  readonly dispatches: readonly {
    readonly parts: readonly { readonly run: number; readonly binding: Binding<GPUBuffer> }[];
  }[];
}

/** The bind groups of a reduction's dispatches, over gradients that may come to lie elsewhere. */
export class ReductionBindings {
  readonly #places: Place[];
  readonly #groups: GPUBindGroup[];
  readonly #runsOfTensor = new Map<number, Set<number>>();
  readonly #dispatchesOfRun = new Map<number, Set<number>>();
  readonly #alignment: number;

  /** @param bind makes or finds the bind group of a dispatch for the bindings of its parts. */
  constructor(
    private readonly plan: BoundRuns,
    limits: Pick<PlanLimits, 'minStorageBufferOffsetAlignment'>,
    private readonly bind: (bindings: readonly Binding<GPUBuffer>[], dispatch: number) => GPUBindGroup,
  ) {
    this.#alignment = bindingAlignment(limits);
    this.#places = plan.runs.map(({ piece: { buffer } }) => ({ buffer, shift: 0 }));
    plan.runs.forEach(({ members }, run) => {
      for (const { index } of members) addTo(this.#runsOfTensor, index, run);
    });
    plan.dispatches.forEach(({ parts }, k) => {
      for (const { run } of parts) addTo(this.#dispatchesOfRun, run, k);
    });
    this.#groups = plan.dispatches.map((_, k) => this.#bindDispatch(k, new Map()));
  }

  /** Per dispatch of the plan. */
  get bindGroups(): readonly GPUBindGroup[] {
    return this.#groups;
  }

  /** As {@link Stage.prepareRebind}. */
  prepareRebind(changed: ReadonlyMap<number, PlanTensor<GPUBuffer>>): () => void {
    const moved = new Map<number, Place>();
    for (const index of changed.keys()) {
      for (const run of this.#runsOfTensor.get(index) ?? []) {
        if (moved.has(run)) continue;
        const [before, after] = [this.#places[run]!, this.#placeOf(run, changed)];
        if (before.buffer !== after.buffer || before.shift !== after.shift) moved.set(run, after);
      }
    }
    const dispatches = new Set<number>();
    for (const run of moved.keys()) {
      for (const k of this.#dispatchesOfRun.get(run) ?? []) dispatches.add(k);
    }
    for (const k of dispatches) this.#rejectOverrun(k, moved);
    const groups = Array.from(dispatches, (k) => [k, this.#bindDispatch(k, moved)] as const);
    return () => {
      for (const [run, place] of moved) this.#places[run] = place;
      for (const [k, group] of groups) this.#groups[k] = group;
    };
  }

  #bindDispatch(k: number, moved: ReadonlyMap<number, Place>): GPUBindGroup {
    return this.bind(this.#bindingsOf(k, moved), k);
  }

  #bindingsOf(k: number, moved: ReadonlyMap<number, Place>): Binding<GPUBuffer>[] {
    return this.plan.dispatches[k]!.parts.map(({ run, binding }) => {
      const { buffer, shift } = moved.get(run) ?? this.#places[run]!;
      return { buffer, offset: binding.offset + shift, size: binding.size };
    });
  }

  /** A last lane in part is read whole in an arena, which has room for that; another buffer may have none. */
  #rejectOverrun(k: number, moved: ReadonlyMap<number, Place>): void {
    for (const { buffer, offset, size } of this.#bindingsOf(k, moved)) {
      if (offset + size > buffer.size) throw otherReduction();
    }
  }

  /** Where a run lies behind a change: its members must still lie behind one another, and on the same grid. */
  #placeOf(run: number, changed: ReadonlyMap<number, PlanTensor<GPUBuffer>>): Place {
    const { piece, members } = this.plan.runs[run]!;
    let place: Place | undefined;
    for (const { index, piece: k, start, elementCount, pieceCount } of members) {
      const tensor = changed.get(index);
      let own = this.#places[run]!;
      if (tensor) {
        const next = tensor.grad?.[k];
        if (!next || next.elementCount !== elementCount || tensor.grad.length !== pieceCount)
          throw otherReduction();
        if (next.rows?.byteStride !== piece.rows?.byteStride) throw otherReduction();
        own = {
          buffer: next.buffer,
          shift: next.byteOffset - elementByteLengthOf(piece) * start - piece.byteOffset,
        };
      }
      if (own.shift % this.#alignment !== 0) throw otherReduction();
      if (place && (place.buffer !== own.buffer || place.shift !== own.shift)) throw otherReduction();
      place = own;
    }
    return place!;
  }
}

function addTo(sets: Map<number, Set<number>>, key: number, value: number): void {
  const set = sets.get(key);
  if (set) set.add(value);
  else sets.set(key, new Set([value]));
}

function otherReduction(): OptimizerError {
  return new OptimizerError(
    'invalid-parameter',
    'rebind(): the gradients would lie so differently that another reduction is needed; give ranges with the same ' +
      'offsets modulo 256 bytes, or create a new optimizer from a state dict.',
  );
}
