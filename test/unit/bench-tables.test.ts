/** What `npm run bench` prints: for terminals of 80 columns, and what differs between two saved results. */
import { mkdtempSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CommanderError } from 'commander';
import { expect, test, vi } from 'vitest';
import { readRequest } from '../../bench/common-options.js';
import { compareFiles } from '../../bench/compare.js';
import { readOptions } from '../../bench/options.js';
import type { SuiteResults } from '../../bench/suite.js';
import { formatSuite } from '../../bench/suite-table.js';
import { formatTable, wrap } from '../../bench/table.js';
import type { Results } from '../../lab/measuring/rows.js';

const SAVED = readdirSync('bench/results')
  .filter((name) => name.endsWith('.json'))
  .map((name) => `bench/results/${name}`);
const read = (file: string) => JSON.parse(readFileSync(file, 'utf8')) as Results | SuiteResults;
const isSuite = (results: Results | SuiteResults): results is SuiteResults => 'suite' in results;
const folder = mkdtempSync(join(tmpdir(), 'bench-'));

function save(name: string, results: unknown): string {
  const file = join(folder, name);
  writeFileSync(file, JSON.stringify(results));
  return file;
}

test.each(SAVED)('%s fits 80 columns, and has a line for each row', (file) => {
  const results = read(file);
  const narrow = isSuite(results) ? formatSuite(results, false) : formatTable(results, false);
  for (const line of narrow.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80);
  const wide = isSuite(results) ? formatSuite(results, true) : formatTable(results, true);
  for (const row of results.rows) {
    const name = 'contestant' in row ? row.contestant : row.peer;
    const ms = row.medianMs.toPrecision(row.medianMs >= 1000 ? 4 : 3);
    const line = new RegExp(`^${name.replaceAll(/[^\w ]/gu, '.')} +${ms} `, 'mu');
    expect(narrow).toMatch(line);
    expect(wide).toMatch(line);
  }
  expect(wide).toContain('new objects');
});

test('long text is broken between words, and a word that is too long stays whole', () => {
  const word = 'x'.repeat(90);
  expect(wrap(`${'abcd '.repeat(20)}${word} e`).split('\n')).toEqual([
    'abcd '.repeat(16).trimEnd(),
    `  ${'abcd '.repeat(4).trimEnd()}`,
    `  ${word}`,
    '  e',
  ]);
});

const row = {
  medianMs: 10,
  minMs: 8,
  hostMs: 1,
  cpuMs: null,
  timesBaseline: 2,
  dispatches: 1,
  submits: 1,
  newObjects: 0,
};
const suite: SuiteResults = {
  suite: 'rows',
  adapter: 'some adapter',
  browser: 'some browser',
  date: '2026-01-02T03:04:05Z',
  seed: 1,
  rounds: 3,
  baseline: 'copy',
  rows: [
    { ...row, case: 'one', contestant: 'map' },
    { ...row, case: 'one', contestant: 'gone' },
  ],
};

test('two results of a suite are compared by name, and what one of them lacks is said', () => {
  const a = save('a.json', suite);
  const b = save('b.json', {
    ...suite,
    rows: [
      { ...row, case: 'one', contestant: 'new' },
      { ...row, case: 'one', contestant: 'map', medianMs: 15, minMs: 6, timesBaseline: 5 },
    ],
  });
  const text = compareFiles([a, b]);
  expect(text).toMatch(/^map +10\.0 +15\.0 +1\.50 +0\.75 +2\.00 +5\.00 +2\.50$/mu);
  expect(text).toContain('only in a: one gone');
  expect(text).toContain('only in b: one new');
  expect(text).toContain('a: 2026-01-02T03:04, some adapter, some browser, 3 rounds');
});

test('steps are compared by their share of the limit', () => {
  const file = SAVED.find((name) => !isSuite(read(name)))!;
  const lines = compareFiles([file, file]).split('\n');
  const ours = lines.find((line) => line.startsWith('ours '))!;
  const { fractionOfLimit } = (read(file) as Results).rows.find(({ peer }) => peer === 'ours')!;
  expect(ours.split(/ +/u).slice(3)).toEqual([
    '1.00',
    '1.00',
    ...Array.from({ length: 2 }, () => (1 / fractionOfLimit!).toFixed(2)),
    '1.00',
  ]);
});

test('what cannot be compared is one error', () => {
  const a = save('a.json', suite);
  expect(() => compareFiles([a])).toThrow('--compare takes two files, not 1');
  expect(() => compareFiles([a, join(folder, 'absent.json')])).toThrow(
    /absent\.json cannot be read: ENOENT/u,
  );
  expect(() => compareFiles([a, save('none.json', { rows: 3 })])).toThrow('none.json is no result');
  expect(() => compareFiles([a, save('null.json', null)])).toThrow('null.json is no result');
  expect(() => compareFiles([a, save('sparse.json', { ...suite, suite: 'sparse' })])).toThrow('of one suite');
  expect(() => compareFiles([a, save('empty.json', { ...suite, rows: [] })])).toThrow('no row in common');
});

test.each([
  [['--suite', 'foo'], "'foo' is invalid"],
  [['--rounds', '0'], '"0" is no integer ≥ 1'],
  [['--seeds', '1'], "unknown option '--seeds'"],
  [['--sizes', '1e'], '"1e" is no size'],
  [['--peers', 'ours,theirs'], '"theirs" is none of'],
  [['--compare'], 'argument missing'],
])('%s is one line, and no command', (given, complaint) => {
  const written = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  try {
    const argv = ['node', 'bench', ...given];
    expect(() => [readRequest(argv), readOptions(argv)]).toThrow(CommanderError);
    const text = written.mock.calls.map(([chunk]) => String(chunk)).join('');
    expect(text).toContain(complaint);
    expect(text.trimEnd().split('\n').length).toBe(1);
  } finally {
    written.mockRestore();
  }
});
