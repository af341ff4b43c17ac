/** docs/programs.md: what `npm run programs` has found, of all programs that it runs. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { changed } from '../../scripts/programs/changes.js';
import { JAX_PROGRAMS } from '../../scripts/programs/jax-list.js';
import { PROGRAMS } from '../../scripts/programs/list.js';
import { type ProgramRun, isGood, rowOf } from '../../scripts/programs/report.js';

const page = readFileSync(new URL('../../docs/programs.md', import.meta.url), 'utf8');

test.for([...PROGRAMS, ...JAX_PROGRAMS].map(({ name }) => name))(
  '%s has a row; nothing of ours is left, and no error is new',
  (name) => {
    const row = page.split('\n').find((line) => line.startsWith(`| ${name} |`));
    const [, , steps, , difference, , , buffers, errors] = row!.split('|').map((cell) => cell.trim());
    const [first, last] = buffers!.split(' → ').map(Number);
    expect(Number(steps)).toBeGreaterThan(0);
    expect(Number(difference)).toBeLessThan(Infinity);
    expect(last).toBeLessThanOrEqual(first!);
    expect(errors).toBe('0');
  },
);

const runOf = (more: Partial<ProgramRun> = {}): ProgramRun => ({
  losses: [2, 1],
  steps: 2,
  first: { tensors: 5, buffers: 3 },
  last: { tensors: 6, buffers: 3 },
  errors: [],
  standIns: [],
  ...more,
});

test.for<[string, Partial<ProgramRun>, boolean]>([
  ['the same', {}, true],
  ['less alive', { last: { tensors: 5, buffers: 2 } }, true],
  ['a tensor more', { last: { tensors: 7, buffers: 3 } }, false],
  ['a buffer more', { last: { tensors: 6, buffers: 4 } }, false],
  ['an error', { errors: ['no'] }, false],
  ['a loss that is no number', { losses: [2, NaN] }, false],
  ['a loss less', { losses: [2] }, false],
])('a run with %s is told from a good one', ([, ours, want]) => {
  expect(isGood({ name: 'x', theirs: runOf(), ours: runOf(ours) })).toBe(want);
});

test('a row has what the page says of it', () => {
  const comparison = { name: 'x', theirs: runOf(), ours: runOf({ losses: [2, 1.5], standIns: ['a.csv'] }) };
  expect(rowOf(comparison)).toBe('| x | 2 | 2.000 → 1.000 | 5.0e-1 | 5 → 6 | 5 → 6 | 3 → 3 | 0 | stand-in |');
});

test('a line that is not there, or twice, is another version of the program', () => {
  expect(changed('a b', [['a', 'c$&']], 'x.js')).toBe('c$& b');
  for (const code of ['b', 'a a']) {
    expect(() => changed(code, [['a', 'c']], 'x.js')).toThrow(
      'x.js has "a" not just once: it is another version.',
    );
  }
});
