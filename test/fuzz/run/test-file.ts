import fc from 'fast-check';
import type { Case } from '../case/calls.js';

/** A case as a test of its own, for test/gpu. */
export function writeTestFile({ plans, calls }: Case, name: string): string {
  const list = (items: readonly unknown[]) => items.map((item) => `      ${fc.stringify(item)},\n`).join('');
  return `import { expect, test } from 'vitest';
import { failuresOf } from '../fuzz/run/failures-of.js';

test('${name}', async () => {
  const failures = await failuresOf({
    plans: [
${list(plans)}    ],
    calls: [
${list(calls)}    ],
  });
  expect(failures).toEqual([]);
});
`;
}
