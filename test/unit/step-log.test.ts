/** What the host counts of the steps. */
import { expect, test } from 'vitest';
import type { GroupPart } from '../../src/engine/run/group-part.js';
import { StepLog } from '../../src/engine/run/step-log.js';

const partsWith = (...lrs: number[]) =>
  lrs.map((lr) => ({ group: { inForce: () => ({ rule: undefined, lr }) } }) as unknown as GroupPart);

test('counts each step, and tells the learning rate of the first group', () => {
  const log = new StepLog();
  expect(log.lastLr).toBeNaN();
  for (const lrs of [
    [0.5, 0.25],
    [0.125, 8, 4],
  ]) {
    const inputs = log.next(partsWith(...lrs), 2);
    expect([Array.from(inputs.ruleOf.values(), ({ lr }) => lr), inputs.gradScale]).toEqual([lrs, 2]);
    log.add(inputs);
    expect(log.lastLr).toBe(lrs[0]);
  }
  expect([log.asked, log.applied]).toEqual([2, 2]);
});
