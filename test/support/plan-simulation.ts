import { type Batch, countStorageBindings } from '../../src/plan/batches.js';
import type { Access } from '../../src/codecs/codec.js';
import type { Binding, Piece, PlanTensor, StatePiece } from '../../src/plan/pieces.js';
import type { StepPlan } from '../../src/plan/plan.js';
import { type Stretch, type StretchFacts, unitOf } from '../../src/plan/stretch.js';
import { paddingOf } from './plan-world.js';

/** Not expect(): it is called a million times. */
function demand(holds: boolean, what: () => string): void {
  if (!holds) throw new Error(what());
}

/** Words of a kind of memory, by buffer and byte. */
class Words<T> {
  readonly #ofBuffer = new Map<string | number, Map<number, T>>();

  get(buffer: string | number, byte: number): T | undefined {
    return this.#ofBuffer.get(buffer)?.get(byte);
  }

  set(buffer: string | number, byte: number, value: T): void {
    let words = this.#ofBuffer.get(buffer);
    if (!words) this.#ofBuffer.set(buffer, (words = new Map()));
    words.set(byte, value);
  }
}

interface Word {
  readonly buffer: string | number;
  readonly byte: number;
}

const isSame = (a: Word | undefined, b: Word | undefined): boolean =>
  a?.buffer === b?.buffer && a?.byte === b?.byte;
const show = (word: Word | undefined): string => (word ? `${word.buffer}:${word.byte}` : 'nothing');

/** The words of some pieces, in order. */
function wordsOf(pieces: readonly (Piece<string> | StatePiece)[]): Word[] {
  return pieces.flatMap((each) =>
    Array.from({ length: each.elementCount }, (_, k) =>
      'slab' in each
        ? { buffer: each.slab, byte: 4 * (each.element + k) }
        : { buffer: each.buffer, byte: each.byteOffset + 4 * k },
    ),
  );
}

/** The words of a lane as shaders reach them (src/codecs/f32.ts): four of a vec4, else as many as there are. */
function laneWords(
  bound: Binding<string | number>,
  base: number,
  access: Access,
  lane: number,
  valid: number,
): Word[] {
  const first = access === 'vector' ? 4 * (base + lane) : base + 4 * lane;
  const count = access === 'vector' ? 4 : valid;
  demand(
    Number.isInteger(first) && first >= 0 && 4 * (first + count) <= bound.size,
    () => `word ${first} and ${count - 1} more are outside of a binding of ${bound.size} bytes`,
  );
  return Array.from({ length: count }, (_, k) => ({
    buffer: bound.buffer,
    byte: bound.offset + 4 * (first + k),
  }));
}

/** The ranges that a part reaches, and where in them it begins, as stages/update/update-stage.ts tells the shader. */
function boundOf({ state, grad }: Batch<string>, part: Stretch<string>) {
  const ahead = part.state ? part.stateStart + part.state.element - state!.element : 0;
  const gradient = grad ?? part.grad ?? part.data;
  return {
    state: state && { buffer: state.slab, offset: 4 * state.element, size: 4 * state.elementCount },
    stateBase: part.access.state === 'vector' ? ahead / 4 : ahead,
    grad: gradient,
    gradBase: part.gradBase + (grad ? (part.grad!.offset - grad.offset) / unitOf(part.access.grad) : 0),
  };
}

/**
 * Goes through a plan word by word, by the shader's own arithmetic, and throws unless every element of every tensor is
 * stepped once with its own gradient and its own state, and whatever else is written is nobody's.
 *
 * @param all these tensors, and others whose memory is not to be touched.
 */
export function checkCoverage(plan: StepPlan<string>, all: readonly PlanTensor<string>[]): void {
  const elements = new Words<{ grad: Word | undefined; state: Word | undefined; row: number }>();
  const owned = new Words<true>();
  const ownedState = new Words<true>();
  for (const { data, grad, state, row, index } of all) {
    const [gradWords, stateWords] = [grad && wordsOf(grad), state && wordsOf(state)];
    for (const word of gradWords ?? []) owned.set(word.buffer, word.byte, true);
    wordsOf(data).forEach(({ buffer, byte }, k) => {
      owned.set(buffer, byte, true);
      if (plan.tensors.has(index))
        elements.set(buffer, byte, { grad: gradWords?.[k], state: stateWords?.[k], row });
      if (stateWords) {
        const own = stateWords[k]!;
        demand(!ownedState.get(own.buffer, own.byte), () => `state at ${show(own)} is of two elements`);
        ownedState.set(own.buffer, own.byte, true);
      }
    });
  }
  const stepped = new Words<true>();
  for (const batch of plan.batches) {
    const writtenInDispatch = new Words<number>();
    batch.parts.forEach((part, p) => {
      const { state, stateBase, grad, gradBase } = boundOf(batch, part);
      for (let lane = 0; lane < part.laneCount; lane++) {
        const valid = Math.min(4, part.elementCount - 4 * lane);
        const data = laneWords(part.data, part.dataBase, part.access.data, lane, valid);
        const read =
          part.access.gradBinding === 'none' ? [] : laneWords(grad, gradBase, part.access.grad, lane, valid);
        const kept = state ? laneWords(state, stateBase, part.access.state, lane, valid) : [];
        data.forEach((word, k) => {
          const other = writtenInDispatch.get(word.buffer, word.byte - (word.byte % 16));
          demand(
            other === undefined || other === p,
            () => `two parts of a dispatch write the vec4 of ${show(word)}`,
          );
          writtenInDispatch.set(word.buffer, word.byte - (word.byte % 16), p);
          const element = k < valid ? elements.get(word.buffer, word.byte) : undefined;
          if (!element) {
            demand(!owned.get(word.buffer, word.byte), () => `${show(word)} is written and is somebody's`);
            demand(
              paddingOf(word.buffer as string) > 0,
              () => `${show(word)} is written and is the caller's`,
            );
            return;
          }
          demand(!stepped.get(word.buffer, word.byte), () => `${show(word)} is stepped twice`);
          stepped.set(word.buffer, word.byte, true);
          demand(
            isSame(element.grad, read[k]),
            () => `${show(word)} has gradient ${show(read[k])}, not ${show(element.grad)}`,
          );
          demand(
            isSame(element.state, kept[k]),
            () => `${show(word)} has state ${show(kept[k])}, not ${show(element.state)}`,
          );
          demand(element.row === batch.row, () => `${show(word)} is stepped with row ${batch.row}`);
        });
        kept.forEach((word, k) => {
          const isOwn = k < valid && elements.get(data[k]!.buffer, data[k]!.byte) !== undefined;
          demand(
            isOwn || !ownedState.get(word.buffer, word.byte),
            () => `state ${show(word)} is written and is another's`,
          );
        });
      }
    });
  }
  for (const tensor of all) {
    if (!plan.tensors.has(tensor.index)) continue;
    for (const word of wordsOf(tensor.data))
      demand(stepped.get(word.buffer, word.byte) === true, () => `${show(word)} is left out`);
  }
}

/**
 * Throws unless a device takes the bindings of every dispatch: limits, alignment, buffers' ends, and usage scopes.
 *
 * @param byteLengths of the buffers; default: as long as is needed.
 */
export function checkBindings(
  { batches }: StepPlan<string>,
  slotCount: number,
  { limits }: StretchFacts<string>,
  slabElementCounts: readonly number[],
  byteLengths?: ReadonlyMap<string, number>,
): void {
  for (const { parts, state, grad, access } of batches) {
    const { perTensor, shared } = countStorageBindings(access, slotCount);
    demand(
      parts.length === 1 || perTensor * parts.length + shared <= limits.maxStorageBuffersPerShaderStage,
      () => `${parts.length} parts take more bindings than there are`,
    );
    const isWritten = access.gradBinding === 'read_write';
    const bound = [
      ...parts.map(({ data }) => ({ ...data, isWritten: true })),
      ...(grad ? [grad] : parts.flatMap((part) => part.grad ?? [])).map((one) => ({ ...one, isWritten })),
    ];
    const slab = state && { offset: 4 * state.element, size: 4 * state.elementCount };
    const ends = [
      ...bound.map(({ buffer }) => byteLengths?.get(buffer) ?? Infinity),
      ...(state ? [4 * slabElementCounts[state.slab]!] : []),
    ];
    [...bound, ...(slab ? [slab] : [])].forEach(({ offset, size }, k) => {
      demand(offset % limits.minStorageBufferOffsetAlignment === 0, () => `offset ${offset} is not aligned`);
      demand(size > 0 && size % 4 === 0, () => `size ${size} is no multiple of 4`);
      demand(size <= limits.maxStorageBufferBindingSize, () => `a binding of ${size} bytes is too large`);
      demand(offset + size <= ends[k]!, () => `a binding ends at ${offset + size} of ${ends[k]} bytes`);
    });
    bound.forEach((one, k) => {
      for (const other of bound.slice(0, k)) {
        if (one.buffer !== other.buffer) continue;
        demand(one.isWritten === other.isWritten, () => `${one.buffer} is read and written by one dispatch`);
        const areApart = one.offset >= other.offset + other.size || other.offset >= one.offset + one.size;
        demand(!one.isWritten || areApart, () => `two writable bindings of ${one.buffer} overlap`);
      }
    });
  }
}
