import { resolveAverages } from '../src/averages/registry.js';
import {
  type AverageOptions,
  type KernelOptions,
  Optimizer,
  type Parameter,
  ReferenceOptimizer,
  type RowOptions,
  type Rule,
  type StateDtype,
} from '../src/index.js';
import { layoutOf } from '../src/kernel/rule-layout.js';
import { withSettings } from '../src/rules/rule.js';
import { isSwiftShader } from './adapter.js';
import { BoundedRun, type Clips } from './bounded-run.js';
import { type Deviation, bitDifference, checkWithinBound, largerDeviation } from './compare.js';
import type { ParityResult } from './parity.js';
import type { Random } from './random.js';
import { readBuffer } from './read-buffer.js';
import type { Track } from './track.js';

/** A table, and how it lies: as a column of structs, or without gaps. */
export interface TableLayout {
  readonly rowLength: number;
  /** Elements of a struct in front of the column; absent where rows lie behind one another. */
  readonly dataGap?: number;
  readonly gradGap?: number;
  /** Share of the rows that are left alone, other ones at each step; absent: there is no mask. */
  readonly masked?: number;
  /** Whether columns have learning rates of their own. */
  readonly isScaled?: boolean;
  readonly constraint?: RowOptions['constraint'];
}

/** A rule, its tables, and how long it runs. */
export interface TableRun {
  readonly device: GPUDevice;
  readonly track: Track;
  readonly rule: Rule;
  readonly averages?: AverageOptions;
  /** How its state is kept. Default `'f32'`. */
  readonly stateDtype?: StateDtype;
  readonly skipNonFinite?: boolean;
  /** How gradients are clipped. Default not at all. */
  readonly clip?: Clips;
  /** The shape of its kernels. Default what the engine chooses. */
  readonly kernel?: KernelOptions;
  readonly tables: readonly TableLayout[];
  readonly rowCount: number;
  /** Whether weights and gradients are columns of the same structs. */
  readonly oneBuffer: boolean;
  readonly steps: number;
  readonly random: Random;
}

const USAGE = 0x8c; // STORAGE | COPY_SRC | COPY_DST, as numbers because this file also loads where no GPU is.
const POISON = 0x7fa0_dead; // A signalling NaN.

/** Where a column lies, in elements of its buffer. */
interface Column {
  readonly buffer: number;
  readonly start: number;
  readonly stride: number;
}

/** A table in its place. */
interface PlacedTable extends TableLayout {
  readonly name: string;
  readonly data: Column;
  readonly grad: Column;
  readonly factors?: readonly number[];
}

/** Lays columns side by side, and tables without gaps behind one another, in buffers with poison at either end. */
class Placement {
  readonly #ends = [3, 5, 2, 1];

  constructor(private readonly rowCount: number) {}

  /** @param gap elements of the struct in front of it; absent: it is without gaps, in another buffer. */
  reserve(buffer: number, length: number, gap: number | undefined): () => Column {
    const place = gap === undefined ? buffer + 2 : buffer;
    const first = this.#ends[place]!;
    if (gap === undefined) {
      this.#ends[place] = first + length * this.rowCount + 4;
      return () => ({ buffer: place, start: first, stride: length });
    }
    const offset = first + gap;
    this.#ends[place] = offset + length;
    return () => ({ buffer: place, start: offset, stride: this.#strideOf(place) });
  }

  /** Elements of each buffer. */
  sizes(): number[] {
    return this.#ends.map((end, k) => (k < 2 ? this.#strideOf(k) * this.rowCount : end) + 4);
  }

  #strideOf(buffer: number): number {
    return this.#ends[buffer]!;
  }
}

/**
 * Runs a rule over tables on the GPU and as reference, as `checkParity` does over tensors; and checks that nothing between rows was
 * touched.
 *
 * @returns the largest deviation of the weights from float64, and whether the bits are the twin's.
 * @throws Error naming the first element that is not as it should be.
 */
export async function checkTableParity(run: TableRun): Promise<ParityResult> {
  const { device, track, steps, random, rowCount, averages = {}, skipNonFinite = false, clip = {} } = run;
  const kept = run.stateDtype === undefined ? {} : { stateDtype: run.stateDtype };
  const rule = withSettings(run.rule, { averages: resolveAverages(averages), ...kept });
  const config = { rule: run.rule, ...averages, ...kept, skipNonFinite, ...clip };
  const placement = new Placement(rowCount);
  const reserved = run.tables.map((table, k) => ({
    table,
    name: `t${k}`,
    data: placement.reserve(0, table.rowLength, table.dataGap),
    grad: placement.reserve(run.oneBuffer ? 0 : 1, table.rowLength, table.gradGap),
  }));
  const tables = reserved.map(({ table, name, data, grad }): PlacedTable => {
    // Of some neighbours the factors are equal.
    const factors = Array.from({ length: table.rowLength }, () => random.pick([1, 0.5, 0.3, 2]));
    return { ...table, name, data: data(), grad: grad(), ...(table.isScaled && { factors }) };
  });
  const hosts = placement.sizes().map((n) => new Float32Array(new Uint32Array(n).fill(POISON).buffer));
  const put = ({ buffer, start, stride }: Column, length: number, values: Float32Array): void =>
    values.forEach((value, i) => {
      hosts[buffer]![start + stride * Math.floor(i / length) + (i % length)] = value;
    });
  const weights = tables.map(({ rowLength, data }) => {
    const values = random.weights(rowCount * rowLength);
    put(data, rowLength, values);
    return values;
  });
  const buffers = hosts.map((host, k) =>
    track(device.createBuffer({ label: `tables ${k}`, size: host.byteLength, usage: USAGE })),
  );
  hosts.forEach((host, k) => device.queue.writeBuffer(buffers[k]!, 0, host));
  const masks = tables.map(() => new Uint32Array(rowCount + 3).fill(7));
  const maskBuffers = tables.map(() =>
    track(device.createBuffer({ label: 'mask', size: 4 * (rowCount + 3), usage: USAGE })),
  );
  const bind = ({ buffer, start, stride }: Column, length: number) => ({
    buffer: buffers[buffer]!,
    offset: 4 * start,
    size: 4 * (stride * (rowCount - 1) + length),
    byteStride: 4 * stride,
  });
  const optionsOf = ({ rowLength, factors, constraint }: PlacedTable) => ({
    rowLength,
    ...(factors && { lrPerColumn: factors }),
    ...(constraint && { constraint }),
  });
  const params = tables.map((table, k): Parameter => ({
    name: table.name,
    data: bind(table.data, table.rowLength),
    grad: bind(table.grad, table.rowLength),
    ...optionsOf(table),
    ...(table.masked !== undefined && {
      rowMask: { buffer: maskBuffers[k]!, offset: 4, size: 4 * rowCount },
    }),
  }));
  const optimizer = track(
    await Optimizer.create(device, { ...config, ...(run.kernel && { kernel: run.kernel }), params }),
  );
  const maskOf = (k: number) => masks[k]!.subarray(1, 1 + rowCount);
  const bounds = tables.map(({ rowLength, factors, constraint, masked }, k) => {
    const table = {
      rowLength,
      ...(factors && { columns: factors }),
      ...(constraint && { constraint }),
      ...(masked !== undefined && { mask: maskOf(k) }),
    };
    return new BoundedRun(rule, weights[k]!, 0, clip, table);
  });
  const twin = new ReferenceOptimizer({
    ...config,
    precision: 'f32',
    params: tables.map((table, k) => ({
      name: table.name,
      data: weights[k]!,
      ...optionsOf(table),
      ...(table.masked !== undefined && { rowMask: maskOf(k) }),
    })),
  });
  for (let step = 0; step < steps; step++) {
    const gradients = tables.map(({ rowLength, masked }, k) => {
      const values = random.gradients(rowCount * rowLength);
      if (masked === undefined) return values;
      const mask = maskOf(k);
      for (let row = 0; row < rowCount; row++) {
        mask[row] = random.uniform() < masked ? 0 : 1 + random.integer(9);
        // Nobody is to look at the gradient of a row that is left alone.
        if (mask[row] === 0) values.fill(NaN, row * rowLength, (row + 1) * rowLength);
      }
      device.queue.writeBuffer(maskBuffers[k]!, 0, masks[k]!);
      return values;
    });
    tables.forEach(({ grad, rowLength }, k) => put(grad, rowLength, gradients[k]!));
    tables.forEach(({ grad: { buffer, start, stride }, rowLength }, k) => {
      // Row by row, since weights that lie between them are the GPU's.
      for (let row = 0; row < rowCount; row++) {
        const values = gradients[k]!.subarray(row * rowLength, (row + 1) * rowLength);
        device.queue.writeBuffer(buffers[buffer]!, 4 * (start + stride * row), values);
      }
      bounds[k]!.step(gradients[k]!);
    });
    twin.step(gradients);
    optimizer.step();
  }
  const exact = isSwiftShader(device);
  const slots = layoutOf(rule).slots.map(({ name }) => name);
  const results = tables.map(async ({ name }) => ({
    weights: await optimizer.readParam(name),
    states: await Promise.all(slots.map((slot) => optimizer.readState(name, slot))),
  }));
  const wholes = buffers.map((buffer) => readBuffer(device, buffer));
  let largest: Deviation = { ulp: 0, ofBound: 0 };
  let sameBits = true;
  const compareBits = (got: Float32Array, want: ArrayLike<number>, of: string): void => {
    const difference = bitDifference(got, Float32Array.from(want));
    if (difference === undefined) return;
    if (exact) throw new Error(`${of}: ${difference}`);
    sameBits = false;
  };
  for (const [k, result] of (await Promise.all(results)).entries()) {
    const { name, rowLength, data } = tables[k]!;
    const what = `${name} (rows of ${rowLength})`;
    largest = largerDeviation(largest, checkWithinBound(result.weights, bounds[k]!.weights, what));
    compareBits(result.weights, twin.readParam(name), what);
    put(data, rowLength, result.weights);
    for (const [s, slot] of slots.entries()) {
      checkWithinBound(result.states[s]!, bounds[k]!.state(slot), `${slot} of ${what}`);
      compareBits(result.states[s]!, twin.readState(name, slot), `${slot} of ${what}`);
    }
  }
  for (const [k, whole] of (await Promise.all(wholes)).entries()) {
    const expected = new Uint32Array(hosts[k]!.buffer);
    const touched = whole.findIndex((bits, i) => bits !== expected[i]);
    if (touched >= 0) throw new Error(`element ${touched} of buffer ${k} was touched`);
  }
  return { ...largest, sameBits };
}
