import { blockOf } from '../../codecs/codec.js';
import { type Refusal, type Remedies, captureErrors, refusalError } from '../../gpu/refusal.js';
import { fillRanges } from '../../gpu/copies/fill-ranges.js';
import { makeBuffer, makeFilled } from '../../gpu/make-buffer.js';
import * as BufferUsage from '../../gpu/buffer-usage.js';
import type { ByteRange } from '../../gpu/copies/byte-range.js';
import { ELEMENT_BYTE_LENGTH, type Piece } from '../../plan/pieces.js';
import { encodeStateMove } from '../../stages/rows/map-state.js';
import { FRESH_ROW, RowMapper, wordsOfRows } from '../../stages/rows/map-rows.js';
import { type MappedTensor, type ResolvedMapping, resolveMapping, rowCountOf } from '../input/map-input.js';
import { rejectNoMatrix } from '../input/parameter/shape.js';
import { rejectSharedWords } from '../input/options/state-options.js';
import { encodeWeights, startsAlike } from './map-weights.js';
import type { RunTensor } from '../run/group-part.js';
import { type Reshaped, type SlotMove, planReshaping } from '../run/reshape.js';
import type { Attempt, Run } from '../run/run.js';
import type { Session } from '../session.js';

type Mapped = MappedTensor<RunTensor>;

/** Moves rows of parameters, and what belongs to them. */
export class Mapping {
  /** One u32: entries of maps on the GPU that named no row. */
  #strays: GPUBuffer | undefined;

  constructor(
    private readonly session: Session,
    private readonly run: Run,
  ) {}

  /** Where stray entries are counted, once there may be any. */
  get strays(): ByteRange | undefined {
    return this.#strays && { buffer: this.#strays, byteOffset: 0, byteLength: 4 };
  }

  /**
   * As `Optimizer.mapRows`: all is submitted before it returns.
   *
   * @returns a promise that rejects with what the device has against it.
   */
  map(names: unknown, mapping: unknown): Promise<void> {
    const { session, run } = this;
    session.guard.checkTraining('mapRows()');
    const resolved = resolveMapping(names, mapping, session.names);
    const { tensors } = resolved;
    for (const { entry, parameter } of tensors) {
      const { rule } = entry.part.group;
      rejectNoMatrix(rule, { name: parameter.name, isMapped: true });
      rejectSharedWords(rule, parameter);
    }
    session.mappingCount++;
    const undoClaim = session.occupancy.claim(tensors.map(({ parameter }) => parameter));
    try {
      session.rejectDestroyedArenas(
        tensors.map(({ parameter }) => parameter),
        'mapRows()',
      );
      const { device } = run.resources;
      const strays = this.#strays;
      const { value: attempt, refusal } = captureErrors(device, () => this.#apply(resolved));
      session.refreshArenas();
      return this.#settle(attempt, refusal, () => {
        undoClaim();
        if (this.#strays === strays) return;
        this.#strays?.destroy();
        this.#strays = strays;
      });
    } catch (error) {
      undoClaim();
      throw error;
    }
  }

  destroy(): void {
    this.#strays?.destroy();
  }

  /**
   * What was submitted has no effect where the device refuses any of it. So the run goes on as it was, unless calls since then
   * took it for done: these have none, either, and then it is over.
   */
  async #settle(attempt: Attempt, refusal: Promise<Refusal | undefined>, undo: () => void): Promise<void> {
    const { device, guard } = this.session;
    const { callCount } = guard;
    const met = await refusal.catch((error: unknown) => {
      attempt.settle(true);
      throw error;
    });
    const isUndone =
      met !== undefined && guard.callCount === callCount && !guard.isOver && attempt.settle(false);
    if (isUndone) {
      undo();
      this.session.refreshArenas();
    } else {
      attempt.settle(true);
    }
    if (!met) return;
    const error = refusalError(device, met, 'mapRows()', isUndone ? UNDONE : OVER);
    if (!isUndone) guard.fail(error);
    throw error;
  }

  #apply({ tensors, from, rowCount }: ResolvedMapping<RunTensor>): Attempt {
    const { run } = this;
    const { device, label } = run.resources;
    if (!(from instanceof Uint32Array)) {
      this.#strays ??= makeBuffer(
        device,
        `${label} stray rows`,
        4,
        BufferUsage.STORAGE | BufferUsage.COPY_SRC,
      );
    }
    const rowsBefore = rowCountOf(tensors[0]!.entry.parameter);
    const longestRow = Math.max(...tensors.map(({ parameter }) => parameter.rowLength!));
    const entries = from instanceof Uint32Array ? upload(device, `${label} row map`, from) : from;
    const map = { entries, rowsBefore, rowCount };
    const mapper = new RowMapper(
      device,
      map,
      longestRow,
      this.#strays,
      run.resources.shape,
      `${label} map rows`,
    );
    if (from instanceof Uint32Array) mapper.keep(entries.buffer);
    try {
      // Rows that come and go at the end, and all others where they are.
      const stays =
        from instanceof Uint32Array && from.every((row, k) => row === (k < rowsBefore ? k : FRESH_ROW));
      return this.#move(mapper, tensors, stays ? Math.min(rowsBefore, rowCount) : undefined);
    } finally {
      mapper.destroy();
    }
  }

  /** @param rowsKept how many rows stay where they are, with fresh ones behind them, if that is all there is to it. */
  #move(mapper: RowMapper, tensors: readonly Mapped[], rowsKept: number | undefined): Attempt {
    const { run } = this;
    const { device, label } = run.resources;
    const byTensor = new Map(tensors.map((mapped) => [mapped.entry, mapped]));
    const parts = [...new Set(tensors.map(({ entry }) => entry.part))];
    const reshapings = parts.map((part) =>
      planReshaping(
        run.resources,
        part,
        part.tensors.map((tensor): Reshaped => {
          const parameter = byTensor.get(tensor)?.parameter;
          if (!parameter) return { tensor, parameter: tensor.parameter };
          const rowLength = parameter.rowLength!;
          const move = (
            encoder: GPUCommandEncoder,
            { from, to, initial, codec, isInPlace }: SlotMove,
          ): void => {
            if (codec.blockLength > 1) {
              const rows = { codec, rowLength, source: from, target: to, fresh: initial };
              encodeStateMove(encoder, mapper, run.resources, rows);
              return;
            }
            if (isInPlace && rowsKept !== undefined) {
              const kept = rowsKept * rowLength * ELEMENT_BYTE_LENGTH;
              fillRanges(device, encoder, behind(to, kept), blockOf(codec, initial));
              return;
            }
            const slot = { rowLength, source: from.map(pieceOf), target: to.map(pieceOf) };
            if (isInPlace) mapper.encodeInPlace(encoder, { ...slot, fresh: initial });
            else mapper.encode(encoder, slot);
          };
          return { tensor, parameter, move };
        }),
      ),
    );
    return run.tryReshape(reshapings, (encoder) => {
      const moves = tensors
        .map(({ entry, parameter }) =>
          wordsOfRows(parameter.rowLength!, entry.parameter.data, parameter.data),
        )
        .filter(({ source, target }) => rowsKept === undefined || !startsAlike(source, target));
      encodeWeights(device, encoder, mapper, moves, `${label} map rows`);
    });
  }
}

function upload(device: GPUDevice, label: string, from: Uint32Array<ArrayBuffer>): Piece<GPUBuffer> {
  const buffer = makeFilled(device, label, BufferUsage.STORAGE, from);
  return { buffer, byteOffset: 0, elementCount: from.length };
}

/** What of ranges is behind their first bytes. */
function behind(ranges: readonly ByteRange[], byteLength: number): ByteRange[] {
  let left = byteLength;
  return ranges.flatMap((range) => {
    const skipped = Math.min(left, range.byteLength);
    left -= skipped;
    if (skipped === range.byteLength) return [];
    return [{ ...range, byteOffset: range.byteOffset + skipped, byteLength: range.byteLength - skipped }];
  });
}

const pieceOf = ({ buffer, byteOffset, byteLength }: ByteRange): Piece<GPUBuffer> => ({
  buffer,
  byteOffset,
  elementCount: byteLength / ELEMENT_BYTE_LENGTH,
});

const remedies = (then: string): Remedies => ({
  shortage: then,
  rejection: `Give buffers of the device that the optimizer was given, neither destroyed nor mapped. ${then}`,
});
const UNDONE = remedies('Nothing has changed, and the run goes on as it was.');
const OVER = remedies('Calls since then had no effect; create the optimizer anew from a state dict.');
