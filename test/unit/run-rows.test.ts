/** Which tensors are stepped together, and what is freed when: what a run knows without a GPU. */
import { describe, expect, test } from 'vitest';
import type { GroupPart, RunTensor } from '../../src/engine/run/group-part.js';
import { Retirement } from '../../src/engine/run/retirement.js';
import { Rows } from '../../src/engine/run/rows.js';

/** Rows with one group in row 0, whose tensors have made three steps. */
function makeRows(tensorCount: number) {
  const rows = new Rows();
  const row = rows.reserve();
  const part = {} as { tensors: RunTensor[] };
  part.tensors = Array.from({ length: tensorCount }, (_, index) => ({ index, part, row }) as never);
  rows.fill(row, part as never, part.tensors, { count: 3 });
  const seen = () =>
    rows.list.map(
      (each) =>
        each && {
          count: each.count,
          tensors: [...each.tensors].map((t) => t.index).toSorted((a, b) => a - b),
        },
    );
  const rowsOfTensors = () => part.tensors.map((tensor) => tensor.row);
  return { rows, part: part as unknown as GroupPart, tensors: part.tensors, seen, rowsOfTensors };
}

describe('rows', () => {
  test('are split, for good, by what leaves out a part of them', () => {
    const { rows, part, tensors, seen, rowsOfTensors } = makeRows(4);
    expect(rows.separate(new Set(tensors)).size).toBe(0);
    expect([...rows.separate(new Set([tensors[1]!, tensors[3]!]))]).toEqual([part]);
    expect(seen()).toEqual([
      { count: 3, tensors: [0, 2] },
      { count: 3, tensors: [1, 3] },
    ]);
    expect(rowsOfTensors()).toEqual([0, 1, 0, 1]);
    expect(rows.list[1]!.part).toBe(part);
    rows.separate(new Set([tensors[0]!, tensors[1]!, tensors[3]!]));
    expect(rowsOfTensors()).toEqual([2, 1, 0, 1]);
  });

  test('take part unless they are left out, or nobody is in them', () => {
    const { rows, tensors } = makeRows(2);
    rows.reserve();
    expect([...rows.activeWithout(undefined)]).toEqual([1, 0]);
    rows.separate(new Set([tensors[1]!]));
    expect([...rows.activeWithout(new Set([tensors[1]!]))]).toEqual([1, 0, 0]);
    expect([...rows.activeWithout(undefined)]).toEqual([1, 0, 1]);
  });

  test('are regrouped by the counts that are loaded, and those left over are empty', () => {
    const { rows, part, tensors, seen, rowsOfTensors } = makeRows(3);
    rows.separate(new Set([tensors[0]!]));
    rows.separate(new Set([tensors[1]!]));
    const regroup = (...counts: number[]) =>
      rows.regroup(part, new Map(tensors.map((tensor, k) => [tensor, counts[k]!])));
    regroup(5, 5, 2);
    expect(rowsOfTensors()).toEqual([1, 1, 2]);
    expect(seen()).toEqual([undefined, { count: 5, tensors: [0, 1] }, { count: 2, tensors: [2] }]);
    regroup(7, 8, 9);
    // A number that was given up is given again.
    expect(rowsOfTensors()).toEqual([1, 2, 0]);
    expect(seen()).toEqual([
      { count: 9, tensors: [2] },
      { count: 7, tensors: [0] },
      { count: 8, tensors: [1] },
    ]);
  });

  test('are frozen and go on with the steps that they made', () => {
    const { rows, part, tensors, rowsOfTensors } = makeRows(3);
    const some = new Set([tensors[0]!, tensors[2]!]);
    expect(rows.setFrozen(some, true)).toBe(true);
    expect(rows.setFrozen(some, true)).toBe(false);
    expect(rowsOfTensors()).toEqual([1, 0, 1]);
    expect([...rows.activeWithout(undefined)]).toEqual([1, 0]);
    rows.note(rows.activeWithout(undefined));
    expect(rows.setFrozen(new Set([tensors[2]!, tensors[1]!]), false)).toBe(true);
    expect([...rows.activeWithout(undefined)]).toEqual([1, 0, 1]);
    expect(tensors.map((tensor) => rows.isFrozen(tensor))).toEqual([true, false, false]);
    // Loading counts does not thaw.
    rows.regroup(part, new Map(tensors.map((tensor) => [tensor, 4])));
    expect(tensors.map((tensor) => rows.isFrozen(tensor))).toEqual([true, false, false]);
    expect(tensors[0]!.row).not.toBe(tensors[1]!.row);
    expect(tensors[2]!.row).toBe(tensors[1]!.row);
  });

  test('are one again if no step came between', () => {
    const { rows, tensors, seen, rowsOfTensors } = makeRows(4);
    const step = (...skipped: number[]) =>
      rows.note(rows.activeWithout(new Set(skipped.map((k) => tensors[k]!))));
    const [a, b, c] = tensors.map((tensor) => new Set([tensor]));
    rows.setFrozen(a!, true);
    rows.setFrozen(b!, true);
    expect(rowsOfTensors()).toEqual([1, 1, 0, 0]);
    rows.setFrozen(b!, false);
    rows.setFrozen(a!, false);
    expect(rowsOfTensors()).toEqual([0, 0, 0, 0]);
    rows.separate(c!);
    step();
    rows.setFrozen(c!, true);
    rows.setFrozen(c!, false);
    expect(seen().filter(Boolean)).toEqual([{ count: 4, tensors: [0, 1, 2, 3] }]);
    // Equal counts are not enough: each was left out of another step, and the GPU may have skipped one of them.
    rows.separate(a!);
    step(0);
    rows.separate(b!);
    step(1);
    rows.setFrozen(a!, true);
    rows.setFrozen(a!, false);
    expect(seen().map((row) => row?.count)).toEqual([6, 5, 5]);
    step();
    expect(rowsOfTensors()).toEqual([1, 2, 0, 0]);
  });

  test('of those that join a group are shared by who has made no step', () => {
    const { rows, tensors, part, seen } = makeRows(2);
    const other = { tensors: [] } as unknown as GroupPart;
    const row = rows.reserve();
    const fresh = { index: 7, part: other, row } as never;
    rows.note(rows.activeWithout(undefined));
    rows.fill(row, other, [fresh]);
    rows.move(new Set(tensors), other);
    expect(seen()).toEqual([
      { count: 4, tensors: [0, 1] },
      { count: 0, tensors: [7] },
    ]);
    rows.note(rows.activeWithout(new Set([tensors[0]!])));
    rows.move(new Set([fresh]), part);
    rows.fill(rows.reserve(), part, [{ index: 8, part, row: 2 } as never]);
    rows.setFrozen(new Set([fresh]), true);
    rows.setFrozen(new Set([fresh]), false);
    expect(seen()).toEqual([
      { count: 4, tensors: [0, 1] },
      { count: 1, tensors: [7] },
      { count: 0, tensors: [8] },
    ]);
  });

  test('lose tensors that leave, and move with them', () => {
    const { rows, tensors, seen } = makeRows(3);
    rows.remove(tensors[1]!);
    expect(seen()).toEqual([{ count: 3, tensors: [0, 2] }]);
    const other = { tensors: [] } as unknown as GroupPart;
    rows.move(new Set([tensors[0]!]), other);
    expect(seen()).toEqual([
      { count: 3, tensors: [2] },
      { count: 3, tensors: [0] },
    ]);
    expect(rows.list[tensors[0]!.row]!.part).toBe(other);
    rows.move(new Set([tensors[2]!]), other);
    expect(seen().filter(Boolean)).toEqual([{ count: 3, tensors: [0, 2] }]);
    rows.remove(tensors[0]!);
    rows.remove(tensors[2]!);
    expect(seen()[0]).toBeUndefined();
    expect(rows.reserve()).toBe(0);
  });
});

test('what is left behind is freed at once, or at the end where commands may still refer to it', () => {
  const freed: string[] = [];
  const retirees = ['a', 'b', 'c'].map((name) => ({ destroy: () => void freed.push(name) }));
  const retirement = new Retirement();
  retirement.add(retirees[0]!);
  expect(freed).toEqual(['a']);
  retirement.isPending = true;
  for (const retiree of retirees.slice(1)) retirement.add(retiree);
  expect(freed).toEqual(['a']);
  retirement.destroy();
  retirement.destroy();
  expect(freed).toEqual(['a', 'b', 'c']);
});
