import { alignUp } from '../../kernel/alignment.js';
import type { Pipeline } from '../../kernel/pipeline-cache.js';
import { chooseGrid } from '../../kernel/shape.js';
import type { Span } from '../span.js';
import { planSort } from './plan-sort.js';
import { type RowSumPipelines, SETTINGS_BYTE_LENGTH } from './row-sum-pipelines.js';
import type { SparseTable } from './table.js';

interface Command {
  readonly pipeline: GPUComputePipeline;
  readonly buffers: GPUBindGroup;
  readonly grid: readonly [number, number];
}

/** Sums the entries of one sparse gradient by row, on the GPU: list, sort, sum. */
export class RowSums {
  /** The sums; a row per entry, zeros for entries that are not the first of their row. */
  readonly summed: GPUBuffer;
  /** Per entry, the row that it is the first of. */
  readonly rows: GPUBuffer;
  readonly #pairs: readonly [GPUBuffer, GPUBuffer];
  readonly #histogram: GPUBuffer;
  readonly #settings: GPUBuffer;
  readonly #settingsStride: number;
  #commands: readonly Command[] = [];

  /** Creates the buffers; run it in error scopes, and `destroy()` on failure. */
  constructor(
    private readonly device: GPUDevice,
    private readonly table: SparseTable,
    private readonly pipelines: RowSumPipelines,
    private readonly label: string,
  ) {
    const { entryCount, rowCount, rowLength } = table;
    const { shifts, blockCount, counterCount } = planSort(entryCount, rowCount);
    const { STORAGE, UNIFORM, COPY_DST } = GPUBufferUsage;
    const create = (what: string, size: number, usage: number = STORAGE) =>
      device.createBuffer({ label: `${label} ${what}`, size, usage });
    this.summed = create('summed rows', 4 * entryCount * rowLength);
    this.rows = create('named rows', 4 * entryCount);
    this.#pairs = [create('pairs 0', 8 * entryCount), create('pairs 1', 8 * entryCount)];
    this.#histogram = create('histogram', 4 * counterCount);
    this.#settingsStride = alignUp(SETTINGS_BYTE_LENGTH, device.limits.minUniformBufferOffsetAlignment);
    this.#settings = create('row settings', this.#settingsStride * shifts.length, UNIFORM | COPY_DST);
    const words = new Uint32Array((this.#settingsStride / 4) * shifts.length);
    const { indices, count, values } = this.#bindings();
    const { laneWidth } = pipelines;
    shifts.forEach((shift, pass) => {
      words.set(
        [entryCount, rowCount, blockCount, shift, indices.base, count.base, values.base / laneWidth],
        (this.#settingsStride / 4) * pass,
      );
    });
    device.queue.writeBuffer(this.#settings, 0, words);
  }

  /** Makes the bind groups; run it in error scopes. */
  bind(): void {
    const { list, listShape, sort, sum, sumShape, laneWidth } = this.pipelines;
    const { entryCount, rowCount, rowLength } = this.table;
    const { shifts, blockCount } = planSort(entryCount, rowCount);
    const { indices, count, values } = this.#bindings();
    const maxPerDimension = this.device.limits.maxComputeWorkgroupsPerDimension;
    const whole = (buffer: GPUBuffer): GPUBufferBinding => ({ buffer });
    const pairs = (pass: number) => whole(this.#pairs[pass % 2]!);
    const blockShape = { workgroupSize: 1, lanesPerInvocation: 1, consecutive: false };
    const blockGrid = chooseGrid(blockCount, blockShape, maxPerDimension);
    const sorting = shifts.flatMap((_, pass) => {
      const buffers = this.#group(sort[0], pass, [pairs(pass), pairs(pass + 1), whole(this.#histogram)]);
      return sort.map(({ pipeline }, k) => ({
        pipeline,
        buffers,
        grid: k === 1 ? ([1, 1] as const) : blockGrid,
      }));
    });
    this.#commands = [
      {
        pipeline: list.pipeline,
        buffers: this.#group(list, 0, [indices.binding, count.binding, pairs(0)]),
        grid: chooseGrid(entryCount, listShape, maxPerDimension),
      },
      ...sorting,
      {
        pipeline: sum.pipeline,
        buffers: this.#group(sum, 0, [
          pairs(shifts.length),
          values.binding,
          whole(this.summed),
          whole(this.rows),
        ]),
        grid: chooseGrid((entryCount * rowLength) / laneWidth, sumShape, maxPerDimension),
      },
    ];
  }

  /** Encodes all of it into a pass, before whatever reads the sums. */
  encode(pass: GPUComputePassEncoder): void {
    for (const { pipeline, buffers, grid } of this.#commands) {
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, buffers);
      pass.dispatchWorkgroups(grid[0], grid[1]);
    }
  }

  destroy(): void {
    for (const buffer of [this.summed, this.rows, ...this.#pairs, this.#histogram, this.#settings])
      buffer.destroy();
  }

  /** The caller's buffers, with offsets rounded down as bindings need it, and what is left of them in words. */
  #bindings(): Record<'indices' | 'count' | 'values', { binding: GPUBufferBinding; base: number }> {
    const { indices, count, values } = this.table;
    const alignment = Math.max(this.device.limits.minStorageBufferOffsetAlignment, 16);
    const bind = ({ buffer, byteOffset, byteLength }: Span) => {
      const rest = byteOffset % alignment;
      return { binding: { buffer, offset: byteOffset - rest, size: byteLength + rest }, base: rest / 4 };
    };
    // Without a count something must be bound in its place, and is not read.
    return { indices: bind(indices), count: bind(count ?? indices), values: bind(values) };
  }

  #group({ layouts }: Pipeline, pass: number, resources: readonly GPUBufferBinding[]): GPUBindGroup {
    const settings = {
      buffer: this.#settings,
      offset: this.#settingsStride * pass,
      size: SETTINGS_BYTE_LENGTH,
    };
    return this.device.createBindGroup({
      label: `${this.label} rows`,
      layout: layouts[0]!,
      entries: [settings, ...resources].map((resource, binding) => ({ binding, resource })),
    });
  }
}
