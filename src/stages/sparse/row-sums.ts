import { adapterInfoOf } from '../../gpu/adapter-info.js';
import { makeBuffer } from '../../gpu/make-buffer.js';
import { OptimizerError, quote } from '../../errors.js';
import type { SparseTable } from '../../engine/input/parameter/sparse-table.js';
import { bindBuffers } from '../../gpu/bind-groups.js';
import * as BufferUsage from '../../gpu/buffer-usage.js';
import { type Pipeline, type PipelineSource, type Planned, getPipelineSync } from '../../gpu/pipelines.js';
import { type KernelShape, chooseGrid, chooseShape, isCpuAdapter } from '../../kernel/shape.js';
import type { WordView } from '../../kernel/structs.js';
import { bindPiece, bindingAlignment } from '../../plan/cut.js';
import { ELEMENT_BYTE_LENGTH, type Piece } from '../../plan/pieces.js';
import { LANE } from '../../codecs/codec.js';
import { type RowSumPlan, planRowSum } from '../../plan/row-sums.js';
import { Portions } from '../portions.js';
import { SETTINGS, sortSource, sumSource } from './compose-row-sums.js';

/** One workgroup per block of the sort, and per part of its counters. */
const SINGLE_SHAPE: KernelShape = { workgroupSize: 1, lanesPerInvocation: 1, consecutive: false };

/** A table's plan and kernels, and the shapes that go with them. */
interface PlannedSums {
  readonly table: SparseTable;
  readonly plan: RowSumPlan;
  /** Elements per lane of the sums. */
  readonly laneWidth: 1 | 4;
  readonly rowLanes: number;
  readonly laneShape: KernelShape;
  readonly sources: Record<'sum' | 'blocks', PipelineSource>;
  /** Per pass, those of the plan's kernels. */
  readonly sort: readonly (readonly PipelineSource[])[];
}

/**
 * Plans the sums of a sparse gradient.
 *
 * @param name of the parameter, for errors.
 * @throws OptimizerError `limit-exceeded` if a part of it is larger than a binding.
 */
export function planRowSums(
  device: GPUDevice,
  table: SparseTable,
  name: string,
  label: string,
): Planned<RowSums> {
  checkLimits(device.limits, table, name);
  const { rowLength, entryCount, rowCount, values, count } = table;
  const isWhole = rowLength % LANE === 0 && values.byteOffset % (LANE * ELEMENT_BYTE_LENGTH) === 0;
  const laneWidth = isWhole ? LANE : 1;
  const rowLanes = rowLength / laneWidth;
  const info = adapterInfoOf(device);
  const plan = planRowSum(entryCount, rowCount, isCpuAdapter(info));
  const laneShape = chooseShape(info, entryCount * rowLanes);
  const hasCount = count !== undefined;
  const sources = {
    sum: sumSource('sum_rows', laneShape, hasCount, laneWidth, rowLanes, values.codec),
    blocks: sumSource('sum_blocks', laneShape, hasCount, laneWidth, rowLanes, values.codec),
  };
  const sort = plan.shifts.map((_, pass) =>
    plan.sortKernels.map((entryPoint) => sortSource(entryPoint, plan, hasCount, pass)),
  );
  const planned = { table, plan, laneWidth, rowLanes, laneShape, sources, sort } as const;
  return {
    sources: [...Object.values(sources), ...sort.flat()],
    make: () => new RowSums(device, planned, `${label} ${quote(name)}`),
  };
}

interface Command {
  readonly pipeline: GPUComputePipeline;
  readonly buffers: GPUBindGroup;
  readonly grid: readonly [number, number];
}

/** Sums the entries of one sparse gradient by row, on the GPU: sort, sum. */
export class RowSums {
  /** The sums; a row per entry, zeros for entries that are not the first of their row. */
  readonly summed: GPUBuffer;
  /** Per entry, the row that it is the first of. */
  readonly rows: GPUBuffer;
  readonly #own: readonly { destroy(): void }[];
  readonly #settings: Portions;
  readonly #commands: readonly Command[];

  /** Creates buffers and bind groups; run it in error scopes. */
  constructor(
    private readonly device: GPUDevice,
    private readonly planned: PlannedSums,
    private readonly label: string,
  ) {
    const { table, plan } = planned;
    const { entryCount, rowLength } = table;
    const create = (what: string, byteLength: number) =>
      makeBuffer(device, `${label} ${what}`, byteLength, BufferUsage.STORAGE);
    this.summed = create('summed rows', ELEMENT_BYTE_LENGTH * entryCount * rowLength);
    this.rows = create('named rows', 4 * entryCount);
    const pairs = [create('pairs 0', 8 * entryCount), create('pairs 1', 8 * entryCount)];
    const histogram = create('histogram', 4 * (plan.partCount + plan.counterCount));
    const settingsCount = Math.max(plan.shifts.length, plan.strides.length);
    this.#settings = new Portions(
      device,
      `${label} row settings`,
      SETTINGS.byteLength,
      settingsCount,
      (view, firstWord, k) => this.#writeSettings(view, firstWord, k),
    );
    this.#own = [this.summed, this.rows, ...pairs, histogram, this.#settings];
    this.#commands = [...this.#sort(pairs, histogram), ...this.#sum(pairs[(plan.shifts.length + 1) % 2]!)];
  }

  /** Encodes all of it into a pass, before whatever reads the sums. */
  encode(pass: GPUComputePassEncoder): void {
    for (const { pipeline, buffers, grid } of this.#commands) {
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, buffers);
      pass.dispatchWorkgroups(grid[0], grid[1]);
    }
  }

  /** Encodes it with nothing to do, which has the device check the caller's buffers. */
  encodeProbe(pass: GPUComputePassEncoder): void {
    // Summing changes no byte of the caller's.
    this.encode(pass);
  }

  destroy(): void {
    for (const own of this.#own) own.destroy();
  }

  #sort(pairs: readonly GPUBuffer[], histogram: GPUBuffer): Command[] {
    const { sort, plan, table } = this.planned;
    return sort.flatMap((sources, pass) => {
      const [source, destination] = [pairs[(pass + 1) % 2]!, pairs[pass % 2]!];
      const own = [source, destination, histogram].map((buffer) => ({ buffer }));
      return sources.map((kernel, k) => {
        // The second of three adds up counters.
        const count = k === 1 ? plan.partCount : plan.blockCount;
        const resources = [this.#bind(table.indices), ...own];
        return this.#command(kernel, pass, resources, this.#grid(count, SINGLE_SHAPE));
      });
    });
  }

  #sum(pairs: GPUBuffer): Command[] {
    const { sources, table, plan, rowLanes, laneShape } = this.planned;
    const { entryCount, values } = table;
    const [summed, rows] = [{ buffer: this.summed }, { buffer: this.rows }];
    const resources = [{ buffer: pairs }, this.#bind(values), summed, rows];
    return [
      this.#command(sources.sum, 0, resources, this.#grid(entryCount * rowLanes, laneShape)),
      ...plan.strides.map((stride, level) => {
        const laneCount = Math.floor(entryCount / stride) * rowLanes;
        return this.#command(sources.blocks, level, resources, this.#grid(laneCount, laneShape));
      }),
    ];
  }

  #grid(laneCount: number, shape: KernelShape): [number, number] {
    return chooseGrid(laneCount, shape, this.device.limits.maxComputeWorkgroupsPerDimension);
  }

  /** @param settings which ones: the number of a pass of the sort, or of a level of the sum. */
  #command(
    source: PipelineSource,
    settings: number,
    resources: readonly GPUBufferBinding[],
    grid: readonly [number, number],
  ): Command {
    const { pipeline, layouts }: Pipeline = getPipelineSync(this.device, source);
    // Without a count something must be bound in its place, and is not read.
    const { indices, count = indices } = this.planned.table;
    const uniform = this.#settings.binding(settings, SETTINGS.byteLength);
    const buffers = bindBuffers(this.device, `${this.label} rows`, layouts[0]!, [
      uniform,
      this.#bind(count),
      ...resources,
    ]);
    return { pipeline, buffers, grid };
  }

  /** The caller's buffers begin anywhere; bindings do not. */
  #bind(piece: Piece<GPUBuffer>): GPUBufferBinding {
    return bindPiece(piece, bindingAlignment(this.device.limits));
  }

  #writeSettings(view: WordView, firstWord: number, k: number): void {
    const { table, plan, laneWidth } = this.planned;
    const { entryCount, rowCount, indices, count = indices, values } = table;
    const baseOf = (piece: Piece<GPUBuffer>) =>
      (piece.byteOffset % bindingAlignment(this.device.limits)) / ELEMENT_BYTE_LENGTH;
    SETTINGS.write(view, firstWord, {
      entry_count: entryCount,
      row_count: rowCount,
      shift: plan.shifts[k] ?? 0,
      part_count: plan.partCount,
      stride: plan.strides[k] ?? 0,
      indices_base: baseOf(indices),
      count_base: baseOf(count),
      values_base: baseOf(values) / laneWidth,
    });
  }
}

function checkLimits(
  limits: GPUSupportedLimits,
  { byteLength: tableByteLength, entryCount, values }: SparseTable,
  name: string,
): void {
  // An offset rounded down can add almost this to a binding.
  const alignment = bindingAlignment(limits);
  const parts = {
    'the table': { byteOffset: 0, byteLength: tableByteLength },
    'grad.values': { byteOffset: values.byteOffset, byteLength: ELEMENT_BYTE_LENGTH * values.elementCount },
    'the list of entries': { byteOffset: 0, byteLength: 8 * entryCount },
  };
  for (const [part, { byteOffset, byteLength }] of Object.entries(parts)) {
    const needed = byteLength + (byteOffset % alignment);
    if (needed <= limits.maxStorageBufferBindingSize) continue;
    throw new OptimizerError(
      'limit-exceeded',
      `parameter ${quote(name)}: ${part} of its sparse gradient needs a binding of ${needed} bytes, but ` +
        `maxStorageBufferBindingSize is ${limits.maxStorageBufferBindingSize}; request the device with a larger ` +
        'requiredLimits.maxStorageBufferBindingSize, or cut the table into several parameters.',
    );
  }
}
