import fc from 'fast-check';
import { describe, expect, inject, test } from 'vitest';
import type { PlanTensor } from '../../src/plan/pieces.js';
import {
  FEWEST_GATHERED,
  type ReductionFacts,
  SHORT_LANES,
  planReduction,
  withGathered,
} from '../../src/plan/reduction.js';
import { ReductionBindings } from '../../src/stages/control/reduction-bindings.js';
import { reductionFacts } from '../../src/stages/control/reduction-facts.js';

const seed = inject('seed');

function makeFacts(limits: Partial<ReductionFacts<string>['limits']> = {}): ReductionFacts<string> {
  return {
    limits: {
      maxStorageBufferBindingSize: 2 ** 27,
      minStorageBufferOffsetAlignment: 256,
      maxBufferSize: 2 ** 28,
      maxStorageBuffersPerShaderStage: 8,
      maxComputeWorkgroupsPerDimension: 65_535,
      ...limits,
    },
    paddingOf: (buffer) => (buffer.startsWith('arena') ? 256 : 0),
    shapeOf: (_, isShort) => ({
      workgroupSize: 32,
      lanesPerInvocation: isShort ? 4 : 16,
      consecutive: true,
    }),
  };
}

const own = (index: number, elementCount: number, row = 0): PlanTensor<string> => ({
  index,
  row,
  data: [{ buffer: `d${index}`, byteOffset: 0, elementCount }],
  grad: [{ buffer: `g${index}`, byteOffset: 0, elementCount }],
});

test('all dispatches of short gradients have one shape', () => {
  for (const vendor of ['nvidia', 'google']) {
    const info = { vendor, architecture: 'swiftshader' } as GPUAdapterInfo;
    const { shapeOf } = reductionFacts({ adapterInfo: info }, makeFacts());
    const short = shapeOf(1, true);
    for (const laneCount of [3, 1000, 2 ** 20]) expect(shapeOf(laneCount, true)).toEqual(short);
    expect(shapeOf(2 ** 20, false).lanesPerInvocation).toBeGreaterThan(short.lanesPerInvocation);
  }
});

/** What the parts of a plan read: per buffer, byte ranges in order, joined where they meet. */
function bytesRead({ dispatches }: ReturnType<typeof planReduction<string>>): Map<string, number[][]> {
  const ranges = dispatches.flatMap(({ parts }) =>
    parts.map(({ binding, base, elementCount, access }) => {
      const first = binding.offset + base * (access === 'vector' ? 16 : 4);
      expect(first + 4 * elementCount).toBeLessThanOrEqual(binding.offset + binding.size);
      return { buffer: binding.buffer, first, end: first + 4 * elementCount };
    }),
  );
  const joined = new Map<string, number[][]>();
  for (const { buffer, first, end } of ranges.toSorted((a, b) => a.first - b.first)) {
    const list = joined.get(buffer) ?? [];
    joined.set(buffer, list);
    const last = list.at(-1);
    if (last?.[1] === first) last[1] = end;
    else list.push([first, end]);
  }
  return joined;
}

describe('the reduction of gradients', () => {
  const pieces = fc.array(fc.tuple(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 1, max: 6000 })), {
    minLength: 1,
    maxLength: 3,
  });
  const tensors = fc
    .array(fc.tuple(pieces, fc.integer({ min: 0, max: 3 })), { minLength: 1, maxLength: 25 })
    .map((list) =>
      list.map(([cut, row], index) => {
        const piecesIn = (name: string) =>
          cut.map(([gap, elementCount], k) => ({
            buffer: `${name} ${index} ${k}`,
            byteOffset: 4 * gap,
            elementCount,
          }));
        return { index, row, data: piecesIn('data'), grad: piecesIn('grad') };
      }),
    );

  test('reads every word of every gradient once, in aligned bindings, rows apart', () => {
    fc.assert(
      fc.property(
        tensors,
        fc.constantFrom(4096, 2 ** 27),
        fc.integer({ min: 2, max: 20 }),
        (list, most, buffers) => {
          const facts = makeFacts({
            maxStorageBufferBindingSize: most,
            maxStorageBuffersPerShaderStage: buffers,
          });
          const plan = planReduction(list, facts, true);
          const read = bytesRead(plan);
          for (const { grad } of list) {
            for (const { buffer, byteOffset, elementCount } of grad)
              expect(read.get(buffer)).toEqual([[byteOffset, byteOffset + 4 * elementCount]]);
          }
          let partials = 0;
          for (const { parts, shape, grid, workgroupCount, firstPartial } of plan.dispatches) {
            expect(firstPartial).toBe(partials);
            partials += workgroupCount;
            const perWorkgroup = shape.workgroupSize * shape.lanesPerInvocation;
            for (const { laneCount, elementCount } of parts) {
              expect(laneCount).toBe(Math.ceil(elementCount / 4));
              expect(laneCount).toBeLessThanOrEqual(workgroupCount * perWorkgroup);
            }
            expect(grid[0] * grid[1]).toBeGreaterThanOrEqual(workgroupCount);
            expect(new Set(parts.map(({ row }) => row)).size).toBe(1);
            expect(new Set(parts.map(({ access }) => access)).size).toBe(1);
            expect(parts.length + 1).toBeLessThanOrEqual(Math.max(buffers, 2));
            if (!parts[0]!.isShort)
              expect(parts).toMatchObject([{ access: 'vector', elementCount: 4 * parts[0]!.laneCount }]);
            for (const { binding } of parts) {
              expect(binding.offset % 256).toBe(0);
              expect(binding.size).toBeLessThanOrEqual(most);
            }
          }
          expect(plan.partialCount).toBe(partials);
        },
      ),
      { seed, numRuns: 60 },
    );
  });

  test('joins neighbours of a row, over padding, and no others', () => {
    const neighbours = [0, 0, 1].map((row, index) => ({
      ...own(index, 64, row),
      grad: [{ buffer: 'arena', byteOffset: 512 * index, elementCount: 64 + 8 * index }],
    }));
    const { runs, dispatches } = planReduction(
      neighbours.map((tensor, k) => ({ ...tensor, grad: [{ ...tensor.grad[0]!, byteOffset: 320 * k }] })),
      makeFacts(),
      true,
    );
    expect(runs.map(({ members }) => members.map(({ index }) => index))).toEqual([[0, 1], [2]]);
    expect(runs[0]!.piece.elementCount).toBe(80 + 72);
    expect(runs[0]!.members[1]).toEqual({ index: 1, piece: 0, pieceCount: 1, start: 80, elementCount: 72 });
    expect(dispatches).toHaveLength(2);
  });

  test('takes a dispatch for as many short gradients as bindings allow, and gathers them', () => {
    const list = Array.from({ length: 1000 }, (_, index) => own(index, 1000));
    const plan = planReduction(list, makeFacts(), true);
    expect(plan.dispatches).toHaveLength(Math.ceil(1000 / 7));
    // A long one on whole vec4s has nothing before or behind them.
    expect(planReduction([own(0, 8 * SHORT_LANES)], makeFacts(), true).dispatches).toHaveLength(1);
    expect(plan.gathered.size).toBe(1000);
    // Each begins at a lane of its own, and partials behind them all.
    expect([...plan.gathered.values()]).toEqual(list.map((_, k) => 250 * k));
    expect(plan.firstPartialLane).toBe(250_000);
    expect(plan.workspaceByteLength).toBe(16 * (250_000 + plan.partialCount));
    expect(planReduction(list, makeFacts(), false)).toMatchObject({
      gathered: new Map(),
      firstPartialLane: 0,
    });
    const gathered = withGathered(list, plan.gathered, 'workspace');
    expect(gathered[3]).toEqual({
      ...list[3],
      grad: [{ buffer: 'workspace', byteOffset: 12_000, elementCount: 1000 }],
      isGathered: true,
    });
  });

  test('gathers from a number of gradients on, and no more than half a binding holds', () => {
    const list = Array.from({ length: FEWEST_GATHERED }, (_, index) => own(index, 40));
    expect(planReduction(list, makeFacts(), true).gathered.size).toBe(FEWEST_GATHERED);
    // Ten lanes each; the binding has 256.
    const small = makeFacts({ maxStorageBufferBindingSize: 4096 });
    expect(planReduction(list, small, true).gathered.size).toBe(12);
  });

  test.for([
    ['few', () => Array.from({ length: FEWEST_GATHERED - 1 }, (_, k) => own(k, 10))],
    ['many, of few in a row', () => Array.from({ length: 40 }, (_, k) => own(k, 10, k % 4))],
    ['long ones', () => Array.from({ length: 40 }, (_, k) => own(k, 4 * SHORT_LANES + 1))],
    [
      'ones beside their weights',
      () =>
        Array.from({ length: 40 }, (_, k) => ({
          ...own(k, 10),
          data: [{ ...own(k, 10).grad![0]!, byteOffset: 400 }],
        })),
    ],
    [
      'neighbours',
      () =>
        Array.from({ length: 40 }, (_, k) => ({
          ...own(k, 10),
          grad: [{ buffer: 'one', byteOffset: 40 * k, elementCount: 10 }],
        })),
    ],
    [
      'pairs of neighbours',
      () =>
        Array.from({ length: 40 }, (_, k) => ({
          ...own(k, 10),
          grad: [{ buffer: `pair${k >> 1}`, byteOffset: 40 * (k % 2), elementCount: 10 }],
        })),
    ],
    [
      'sums of rows',
      () =>
        Array.from({ length: 40 }, (_, k) => ({
          ...own(k, 10),
          rows: { buffer: 'r', entryCount: 5, rowLength: 2 },
        })),
    ],
  ] as const)('gathers no gradients: %s', ([, make]) => {
    const plan = planReduction(make(), makeFacts(), true);
    expect(plan.gathered.size).toBe(0);
    expect(plan.firstPartialLane).toBe(0);
    expect(
      plan.dispatches.every(({ parts }) => parts.every(({ gatheredLane }) => gatheredLane === undefined)),
    ).toBe(true);
  });

  test('reads a last vec4 in part only where the rest of it is nobody’s', () => {
    const inArena = { ...own(1, 10), grad: [{ buffer: 'arena', byteOffset: 0, elementCount: 10 }] };
    const plan = planReduction([own(0, 10), inArena], makeFacts(), true);
    expect(
      plan.dispatches.map(({ parts }) => parts.map(({ access, binding }) => [access, binding.size])),
    ).toEqual([[['gather', 40]], [['vector', 48]]]);
  });

  test('a device whose bindings have room for nothing is refused, without end otherwise', () => {
    const grad = [{ buffer: 'g', byteOffset: 4, elementCount: 1000 }];
    expect(() =>
      planReduction([{ ...own(0, 1000), grad }], makeFacts({ maxStorageBufferBindingSize: 256 }), true),
    ).toThrow('maxStorageBufferBindingSize');
  });
});

test('gradients of one run move together, by as much', () => {
  const [old, other] = [{ size: 1024 }, { size: 1024 }] as GPUBuffer[];
  const at = (buffer: GPUBuffer, ...offsets: number[]) =>
    offsets.map((byteOffset, index) => {
      const piece = { buffer, byteOffset, elementCount: 8 };
      return { index, row: 0, data: [piece], grad: [piece] };
    });
  const facts: ReductionFacts<GPUBuffer> = { ...makeFacts(), paddingOf: () => 0 };
  const plan = planReduction(at(old!, 0, 32), facts, true);
  expect(plan.runs).toHaveLength(1);
  const bindings = new ReductionBindings(plan, facts.limits, (bound) => bound as unknown as GPUBindGroup);
  const prepare = (tensors: readonly PlanTensor<GPUBuffer>[]) =>
    bindings.prepareRebind(new Map(tensors.map((tensor) => [tensor.index, tensor])));
  prepare(at(other!, 256, 288))();
  expect(bindings.bindGroups).toEqual([[{ buffer: other, offset: 256, size: 64 }]]);
  prepare(at(other!, 512, 544))();
  expect(bindings.bindGroups).toEqual([[{ buffer: other, offset: 512, size: 64 }]]);
  for (const refused of [
    at(other!, 512, 800),
    at(other!, 0, 288),
    at(old!, 512, 544).slice(1),
    at(other!, 256),
    // Off the grid, and beyond the buffer.
    at(other!, 260, 292),
    at(other!, 1024, 1056),
  ]) {
    expect(() => prepare(refused)).toThrow('another reduction');
  }
});
