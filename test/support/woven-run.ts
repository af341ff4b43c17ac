/** Columns of 2-byte numbers that share words, with all that is stepped along them, and their twin. */
import { expect } from 'vitest';
import { bitDifference } from '../../proof/compare.js';
import type { Random } from '../../proof/random.js';
import type { Track } from '../../proof/track.js';
import { type Optimizer, type OptimizerConfig, type Parameter, ReferenceOptimizer } from '../../src/index.js';
import { type HalfColumn, HalfStructs } from './halves-in-structs.js';
import { makeBuffer } from './tensors.js';

type Floats = Float32Array<ArrayBuffer>;
export type Dtype = 'f16' | 'bf16';

/** Halves of a struct, those before the first one, and its columns: of weights, and of their gradients. */
export interface Layout {
  readonly title: string;
  readonly stride: number;
  readonly lead: number;
  /** Where each column begins in the struct, and its halves. */
  readonly data: readonly (readonly [start: number, rowLength: number])[];
  /** The same of gradients; absent: in a buffer of their own, of float32. */
  readonly grad?: readonly number[];
}

export const LAYOUTS: readonly Layout[] = [
  { title: 'three of one each', stride: 3, lead: 0, data: [0, 1, 2].map((start) => [start, 1] as const) },
  { title: 'one and its gradient', stride: 2, lead: 1, data: [[0, 1]], grad: [1] },
  { title: 'of seven, gradients among them', stride: 7, lead: 0, data: [[0, 3]], grad: [3] },
  {
    title: 'of whole words, within them',
    stride: 12,
    lead: 1,
    data: [
      [0, 5],
      [6, 4],
    ],
  },
  { title: 'odd rows of whole words', stride: 4, lead: 0, data: [[0, 3]] },
  { title: 'even rows of odd structs', stride: 5, lead: 0, data: [[0, 2]] },
  { title: 'rows without gaps', stride: 3, lead: 1, data: [[0, 3]] },
  { title: 'long rows', stride: 67, lead: 0, data: [[1, 64]] },
];

/** Weights in structs, their gradients, and the twin of an optimizer over them. */
export class Run {
  readonly columns: readonly HalfColumn[];
  readonly params: readonly Parameter[];
  readonly structs: HalfStructs;
  readonly weights: Floats[];
  readonly #gradColumns: readonly (HalfColumn | undefined)[];
  readonly #gradBuffers: readonly GPUBuffer[];

  constructor(
    private readonly device: GPUDevice,
    track: Track,
    dtype: Dtype,
    private readonly random: Random,
    { stride, lead, data, grad }: Layout,
    private readonly rowCount: number,
    room = rowCount,
    of: Partial<Parameter> = {},
  ) {
    const half = stride * room + lead + 3;
    this.structs = new HalfStructs(device, track, dtype, rowCount, half);
    this.columns = data.map(([start, rowLength]) => ({ start: lead + start, stride, rowLength }));
    this.#gradColumns = this.columns.map(({ rowLength }, k) =>
      grad ? { start: lead + grad[k]!, stride, rowLength } : undefined,
    );
    this.#gradBuffers = this.columns.map(({ rowLength }) =>
      makeBuffer(device, track, new Float32Array(rowLength * room)),
    );
    this.weights = this.columns.map((column) =>
      this.structs.write(column, random.weights(column.rowLength * rowCount)),
    );
    this.params = this.columns.map((column, k): Parameter => {
      const own = this.#gradColumns[k];
      return {
        name: `t${k}`,
        dtype,
        rowLength: column.rowLength,
        length: rowCount * column.rowLength,
        data: this.structs.range(column, room),
        grad: own ? this.structs.range(own, room) : this.#gradBuffers[k]!,
        ...(own && { gradDtype: dtype }),
        ...of,
      };
    });
  }

  /** Other gradients for the same weights: of the GPU, and as they are there. */
  async renew(optimizer: Optimizer): Promise<Floats[]> {
    for (const [k, column] of this.columns.entries())
      this.structs.expect(column, await optimizer.readParam(`t${k}`));
    return this.columns.map(({ rowLength }, k) => {
      const values = this.random.gradients(rowLength * this.rowCount);
      const own = this.#gradColumns[k];
      if (own) return this.structs.write(own, values);
      this.device.queue.writeBuffer(this.#gradBuffers[k]!, 0, values);
      return values;
    });
  }

  /** Says what gradients among the weights are to be, of rows that are there. */
  expectGradients(gradients: readonly Floats[]): void {
    for (const [k, column] of this.#gradColumns.entries())
      if (column) this.structs.expect(column, gradients[k]!);
  }

  writeGradients(gradients: readonly Floats[]): void {
    for (const [k, column] of this.#gradColumns.entries())
      if (column) this.structs.write(column, gradients[k]!);
  }

  /** Checks weights against the twin's, and all else of the structs. */
  async check(optimizer: Optimizer, twin: ReferenceOptimizer, what: string): Promise<void> {
    for (const [k, column] of this.columns.entries()) {
      const want = Float32Array.from(twin.readParam(`t${k}`));
      expect(bitDifference(await optimizer.readParam(`t${k}`), want), `${what} t${k}`).toBeUndefined();
      this.structs.expect(column, want);
    }
    await this.structs.check(what);
  }
}

export const twinOf = (
  run: Run,
  config: Pick<OptimizerConfig, 'rule'>,
  of: object = {},
): ReferenceOptimizer =>
  new ReferenceOptimizer({
    ...config,
    precision: 'f32',
    params: run.params.map(({ name, dtype, rowLength }, k) => ({
      name: name!,
      dtype: dtype!,
      rowLength: rowLength!,
      data: run.weights[k]!.slice(),
      ...of,
    })),
  });
