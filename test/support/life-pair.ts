/** An optimizer and a model of it on the CPU, for runs whose parameters come, go, rest and move. */
import { expect } from 'vitest';
import {
  type KernelOptions,
  Optimizer,
  ReferenceOptimizer,
  type Rule,
  type StateDict,
  momentum,
} from '../../src/index.js';
import { isSwiftShader } from '../../proof/adapter.js';
import { bitDifference } from '../../proof/compare.js';
import type { Random } from '../../proof/random.js';
import type { Track } from '../../proof/track.js';
import { makeBuffer } from './tensors.js';

/** A tensor of rows in buffers with room for more. */
interface Tensor {
  readonly name: string;
  readonly rowLength: number;
  rowCount: number;
  data: GPUBuffer;
  grad: GPUBuffer;
  /** What the data buffer holds behind the rows. */
  held: Float32Array;
  gradients: Float32Array;
}

export interface PlannedTensor {
  readonly name: string;
  readonly rowLength: number;
  readonly rowCount: number;
  /** Rows that its buffers have room for. */
  readonly room: number;
}

/** How rows are mapped: by a map on the GPU, to new buffers; what slots begin with. */
interface MapOptions {
  readonly onGpu?: boolean;
  readonly elsewhere?: boolean;
  readonly initialOf?: (slot: string) => number;
}

export const FRESH = 0xffff_ffff;

/**
 * A rule where its arithmetic has the twin's bits; elsewhere momentum, which is exact on every adapter over the numbers of
 * {@link makeLifePair}: few binary digits, and no division.
 */
export function exactRule(device: GPUDevice, rule: Rule): Rule {
  return isSwiftShader(device) ? rule : momentum({ lr: 0.5, momentum: 0.5 });
}

/** Numbers of few binary digits: sums and halves of them are exact in float32. */
function shortNumbers(random: Random, length: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length }, () => (random.integer(33) - 16) / 8);
}

/**
 * Makes a pair over tensors that `groups` lists, by groups.
 *
 * @param rule of {@link exactRule}, unless the pair makes no step where bits are not the twin's.
 */
export async function makeLifePair(
  device: GPUDevice,
  track: Track,
  random: Random,
  rule: Rule,
  groups: readonly (readonly PlannedTensor[])[],
  { kernel, ...settings }: { readonly kernel?: KernelOptions; readonly [setting: string]: unknown } = {},
) {
  const isExact = isSwiftShader(device);
  const weightsOf = (length: number) => (isExact ? random.weights(length) : shortNumbers(random, length));
  const gradientsOf = (length: number) => (isExact ? random.gradients(length) : shortNumbers(random, length));
  const tensors = new Map<string, Tensor>();
  const make = ({ name, rowLength, rowCount, room }: PlannedTensor) => {
    const held = weightsOf(room * rowLength);
    const gradients = gradientsOf(room * rowLength);
    const [data, grad] = [held, gradients].map((values) => makeBuffer(device, track, values));
    tensors.set(name, { name, rowLength, rowCount, data: data!, grad: grad!, held, gradients });
    return { name, data: data!, grad: grad!, rowLength, length: rowLength * rowCount };
  };
  const optimizer = track(
    await Optimizer.create(device, {
      rule,
      groups: groups.map((list) => ({ params: list.map(make) })),
      ...settings,
      ...(kernel && { kernel }),
    }),
  );
  let twin = makeTwin(groups.map((list) => list.map(({ name }) => name)));

  function makeTwin(names: readonly (readonly string[])[]): ReferenceOptimizer {
    const params = (list: readonly string[]) =>
      list.map((name) => {
        const { held, rowCount, rowLength } = tensors.get(name)!;
        return { name, data: Float64Array.from(held.subarray(0, rowCount * rowLength)) };
      });
    return new ReferenceOptimizer({
      rule,
      precision: 'f32',
      groups: names.map((list) => ({ params: params(list) })),
      ...settings,
    });
  }

  /** Notes the weights that the twin has by now. */
  const keep = (): void => {
    for (const { params } of twin.groups)
      for (const name of params) tensors.get(name)!.held.set(Float32Array.from(twin.readParam(name)));
  };

  /** Makes the twin anew, of other tensors or sizes, with what becomes of its state. */
  const remake = (
    names: readonly (readonly string[])[],
    stateOf: (name: string, slot: string, values: Float32Array) => Float32Array = (_, __, values) => values,
    optionsOfLast: object = {},
  ): void => {
    const before = twin.stateDict();
    const counts = new Map(
      before.groups.flatMap(({ params }) =>
        params.map((name) => [name, twin.readState(name, 'step')[0]!] as const),
      ),
    );
    const optionsOf = new Map(
      before.groups.flatMap((group) => group.params.map((name) => [name, group] as const)),
    );
    twin = makeTwin(names);
    twin.loadStateDict({
      ...before,
      groups: names.map((list, g) => {
        const { joinedAt: _, ...group } = optionsOf.get(list[0]!)!;
        const overrides = g === names.length - 1 ? optionsOfLast : {};
        return { ...group, ...overrides, params: [...list], steps: list.map((name) => counts.get(name)!) };
      }),
      state: Object.fromEntries(
        names
          .flat()
          .map((name) => [
            name,
            Object.fromEntries(
              Object.entries(before.state[name]!).map(([slot, values]) => [
                slot,
                stateOf(name, slot, Float32Array.from(values)),
              ]),
            ),
          ]),
      ),
    });
  };

  return {
    optimizer,
    tensors,
    get twin() {
      return twin;
    },
    /** A step of both, without some. */
    step(skip: readonly string[] = [], notStepped: ReadonlySet<string> = new Set()): void {
      optimizer.step({ skip });
      const left = twin.groups.flatMap(({ params }) => params);
      twin.step(
        left.map((name) => {
          const { gradients, rowCount, rowLength } = tensors.get(name)!;
          return gradients.subarray(0, rowCount * rowLength);
        }),
        { skip: [...new Set([...skip, ...notStepped])] },
      );
    },
    remove(names: readonly string[]): void {
      optimizer.remove(names);
      keep();
      remake(
        twin.groups
          .map(({ params }) => params.filter((name) => !names.includes(name)))
          .filter(({ length }) => length > 0),
      );
      for (const name of names) tensors.delete(name);
    },
    /** Has the twin know that tensors are of a group of their own now; the optimizer is told by the caller. */
    noteMove(names: readonly string[], options: object): void {
      keep();
      const left = twin.groups.map(({ params }) => params.filter((name) => !names.includes(name)));
      remake([...left.filter(({ length }) => length > 0), names], undefined, options);
    },
    /** Maps rows of both; `elsewhere`, with new buffers. */
    map(
      names: readonly string[],
      from: Uint32Array<ArrayBuffer>,
      { onGpu = false, elsewhere = false, initialOf = () => 0 }: MapOptions = {},
    ): Promise<void> {
      const rowCount = from.length;
      keep();
      const [data, grad]: Record<string, GPUBuffer>[] = [{}, {}];
      const rowsBefore = tensors.get(names[0]!)!.rowCount;
      for (const name of names) {
        const tensor = tensors.get(name)!;
        const { rowLength, held } = tensor;
        const next = elsewhere ? weightsOf((rowCount + 2) * rowLength) : held.slice();
        if (elsewhere) {
          tensor.gradients = gradientsOf(next.length);
          data![name] = tensor.data = makeBuffer(device, track, next);
          grad![name] = tensor.grad = makeBuffer(device, track, tensor.gradients);
        }
        from.forEach((row, k) => {
          if (row >= rowsBefore) return;
          next.set(held.subarray(row * rowLength, (row + 1) * rowLength), k * rowLength);
        });
        tensor.held = next;
        tensor.rowCount = rowCount;
      }
      remake(
        twin.groups.map(({ params }) => [...params]),
        (name, slot, values) => {
          // What is one number per tensor stays.
          if (!names.includes(name) || values.length !== rowsBefore * tensors.get(name)!.rowLength)
            return values;
          const { rowLength } = tensors.get(name)!;
          const next = new Float32Array(rowCount * rowLength).fill(initialOf(slot));
          from.forEach((row, k) => {
            if (row < rowsBefore)
              next.set(values.subarray(row * rowLength, (row + 1) * rowLength), k * rowLength);
          });
          return next;
        },
      );
      const entries = onGpu ? makeBuffer(device, track, new Float32Array(from.buffer)) : from;
      return optimizer.mapRows(names, {
        from: entries,
        rowCount,
        ...(elsewhere && { data: data!, grad: grad! }),
      });
    },
    /** Compares all that both hold, and what lies behind the rows. */
    async compare(what: string): Promise<void> {
      keep();
      const want = twin.stateDict();
      const names = twin.groups.flatMap(({ params }) => params);
      const reading = [optimizer.stateDict(), ...names.map((name) => optimizer.readParam(name))] as const;
      const [got, ...weights] = (await Promise.all(reading)) as [StateDict, ...Float32Array[]];
      expect({ ...got, state: undefined }, what).toEqual({ ...want, state: undefined });
      names.forEach((name, k) => {
        const { held, rowCount, rowLength } = tensors.get(name)!;
        const pairs: [string, Float32Array, Float32Array][] = [
          ['weights', weights[k]!, held.subarray(0, rowCount * rowLength)],
          ...Object.entries(got.state[name]!).map(([slot, values]): [string, Float32Array, Float32Array] => [
            slot,
            values,
            Float32Array.from(want.state[name]![slot]!),
          ]),
        ];
        for (const [slot, a, b] of pairs) {
          expect(bitDifference(a, b), `${what}: ${slot} of ${name}`).toBeUndefined();
        }
      });
    },
  };
}
