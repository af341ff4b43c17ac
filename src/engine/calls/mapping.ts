import { captureErrors, isOutOfMemory } from '../../gpu/device.js';
import { fillRanges } from '../../gpu/fill-ranges.js';
import { createFilled } from '../../gpu/filled-buffer.js';
import * as BufferUsage from '../../gpu/buffer-usage.js';
import type { ByteRange } from '../../gpu/readback.js';
import { OptimizerError } from '../../errors.js';
import { ELEMENT_BYTE_LENGTH, type Piece, countElements } from '../../plan/pieces.js';
import { FRESH_ROW, type RowMap, RowMapper } from '../../stages/rows/map-rows.js';
import { type MappedTensor, type ResolvedMapping, resolveMapping, rowCountOf } from '../input/map-input.js';
import { encodeWeights } from './map-weights.js';
import type { RunTensor } from '../run/group-part.js';
import { type Reshaped, planReshaping } from '../run/reshape.js';
import type { Run } from '../run/run.js';
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
    const undoClaim = session.occupancy.claim(tensors.map(({ parameter }) => parameter));
    try {
      session.rejectDestroyedArenas(
        tensors.map(({ parameter }) => parameter),
        'mapRows()',
      );
      const { error } = captureErrors(run.resources.device, () => this.#apply(resolved));
      const check = async (): Promise<void> => {
        const cause = await error;
        if (cause) throw unmappable(cause);
      };
      const checked = check();
      session.guard.failWith(checked);
      session.refreshArenas();
      return checked;
    } catch (error) {
      undoClaim();
      throw error;
    }
  }

  destroy(): void {
    this.#strays?.destroy();
  }

  #apply({ tensors, from, rowCount }: ResolvedMapping<RunTensor>): void {
    const { run } = this;
    const { device, label } = run.resources;
    if (!(from instanceof Uint32Array)) {
      this.#strays ??= device.createBuffer({
        label: `${label} stray rows`,
        size: 4,
        usage: BufferUsage.STORAGE | BufferUsage.COPY_SRC,
      });
    }
    const rowsBefore = rowCountOf(tensors[0]!.entry.parameter);
    if (from instanceof Uint32Array && this.#staysInPlace(tensors, from, rowsBefore)) {
      this.#resizeInPlace(tensors, Math.min(rowsBefore, rowCount));
      return;
    }
    const mapper = new RowMapper(device, this.#strays, run.resources.shape, `${label} map rows`);
    try {
      this.#move(mapper, tensors, from, rowsBefore);
    } finally {
      mapper.destroy();
    }
  }

  #move(
    mapper: RowMapper,
    tensors: readonly Mapped[],
    from: ResolvedMapping<RunTensor>['from'],
    rowsBefore: number,
  ): void {
    const { run } = this;
    const { device, label } = run.resources;
    const entries = from instanceof Uint32Array ? this.#upload(mapper, from) : from;
    const mapOf = ({ parameter }: Mapped): RowMap => ({
      entries,
      rowsBefore,
      rowLength: parameter.rowLength!,
    });
    const byTensor = new Map(tensors.map((mapped) => [mapped.entry, mapped]));
    const parts = [...new Set(tensors.map(({ entry }) => entry.part))];
    const reshapings = parts.map((part) =>
      planReshaping(
        run.resources,
        part,
        part.tensors.map((tensor): Reshaped => {
          const mapped = byTensor.get(tensor);
          if (!mapped) return { tensor, parameter: tensor.parameter };
          const map = mapOf(mapped);
          return {
            tensor,
            parameter: mapped.parameter,
            // Where fresh rows come to be, the slot is as at the start.
            move: (encoder, source, target) => {
              const pass = encoder.beginComputePass({ label: `${label} map rows` });
              mapper.encode(pass, {
                map,
                source: source.map(pieceOf),
                target: target.map(pieceOf),
              });
              pass.end();
            },
          };
        }),
      ),
    );
    run.reshape(reshapings, (encoder) => {
      const pass = encoder.beginComputePass({ label: `${label} map rows` });
      const moves = tensors.map((mapped) => ({
        map: mapOf(mapped),
        before: mapped.entry.parameter.data,
        after: mapped.parameter.data,
      }));
      encodeWeights(device, pass, mapper, moves, `${label} map rows`);
      pass.end();
    });
  }

  #upload(mapper: RowMapper, from: Uint32Array<ArrayBuffer>): Piece<GPUBuffer> {
    const { device, label } = this.run.resources;
    const buffer = mapper.keep(createFilled(device, `${label} row map`, BufferUsage.STORAGE, from));
    return { buffer, byteOffset: 0, elementCount: from.length };
  }

  /** Whether all rows that stay are where they are to be, and state has a place for those that come. */
  #staysInPlace(tensors: readonly Mapped[], from: Uint32Array, rowsBefore: number): boolean {
    return (
      from.every((row, k) => row === (k < rowsBefore ? k : FRESH_ROW)) &&
      tensors.every(({ entry, parameter }) => {
        if (!startsAlike(entry.parameter.data, parameter.data)) return false;
        const { slabs, layout } = entry.part;
        // What is made for these has their size.
        if (entry.parameter.sparse || entry.parameter.microGrad) return false;
        return layout.elementSlots.length === 0 || slabs.capacityOf(entry.index) >= parameter.elementCount;
      })
    );
  }

  /** Rows are cut off at the end, or added there, where nothing has to move. */
  #resizeInPlace(tensors: readonly Mapped[], rowsKept: number): void {
    const { run } = this;
    const { device, label } = run.resources;
    const encoder = device.createCommandEncoder({ label: `${label} fresh rows` });
    for (const { entry, parameter } of tensors) {
      const { part, index } = entry;
      const { slabs, layout } = part;
      const kept = rowsKept * parameter.rowLength!;
      entry.parameter = parameter;
      if (layout.elementSlots.length === 0) continue;
      slabs.use(index, parameter.elementCount);
      for (const { name, perTensor, initial } of layout.slots) {
        if (!perTensor) fillRanges(device, encoder, slabs.ranges(name, index, kept), initial);
      }
    }
    device.queue.submit([encoder.finish()]);
    run.renew();
  }
}

function startsAlike(before: readonly Piece<GPUBuffer>[], after: readonly Piece<GPUBuffer>[]): boolean {
  const count = Math.min(countElements(before), countElements(after));
  let done = 0;
  for (const [k, a] of before.entries()) {
    if (done >= count) break;
    const b = after[k]!;
    if (a.buffer !== b.buffer || a.byteOffset !== b.byteOffset) return false;
    if (a.rows?.byteStride !== b.rows?.byteStride) return false;
    done += Math.min(a.elementCount, b.elementCount);
    if (a.elementCount !== b.elementCount) return done >= count;
  }
  return true;
}

const pieceOf = ({ buffer, byteOffset, byteLength }: ByteRange): Piece<GPUBuffer> => ({
  buffer,
  byteOffset,
  elementCount: byteLength / ELEMENT_BYTE_LENGTH,
});

function unmappable(cause: GPUError): OptimizerError {
  return new OptimizerError(
    isOutOfMemory(cause) ? 'out-of-memory' : 'invalid-parameter',
    `mapRows(): the device rejects it: ${cause.message.trim()} Give buffers of the device that the optimizer was given, neither ` +
      'destroyed nor mapped. Calls since then had no effect; create the optimizer anew from a state dict.',
  );
}
