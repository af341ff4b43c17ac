/** `npm run bench -- --compare a.json b.json`: two saved results, row by row. */
import type { Results } from '../lab/measuring/rows.js';
import { readResults } from './read-results.js';
import type { SuiteResults } from './suite.js';
import { type TableLine, formatMs, terminalTable, wrap } from './table.js';

/** A row of either kind of results. */
interface Entry {
  readonly group: string;
  readonly name: string;
  readonly medianMs: number;
  readonly minMs: number;
  /** Its time over what it is measured against in the same run; null if that was not measured. */
  readonly timesBase: number | null;
}

const COLUMNS = ['who', 'median a', 'median b', 'b / a', 'min b / a', '× base a', '× base b', 'base b / a'];

/**
 * Compares what both files have. Times of two runs differ by what else a machine did, too; what each is over its base, the limit or the
 * suite's, was measured within a run.
 *
 * @param files of `--json` or `--save`, two, of one suite.
 * @throws Error in one line, if one is none, or they are of different suites.
 */
export function compareFiles(files: readonly string[]): string {
  if (files.length !== 2) throw new Error(`--compare takes two files, not ${files.length}: a.json b.json.`);
  const [a, b] = files.map(readResults) as [Results | SuiteResults, Results | SuiteResults];
  const [suiteA, suiteB] = [suiteOf(a), suiteOf(b)];
  if (suiteA !== suiteB) {
    throw new Error(
      `${files[0]} is of the suite ${suiteA}, ${files[1]} of ${suiteB}; compare two of one suite.`,
    );
  }
  const [before, after] = [entriesOf(a), entriesOf(b)];
  const lines: TableLine[] = [];
  for (const [key, entry] of before) {
    const other = after.get(key);
    if (other) lines.push({ group: entry.group, cells: [entry.name, ...compared(entry, other)] });
  }
  if (lines.length === 0) throw new Error(`${files[0]} and ${files[1]} have no row in common.`);
  const alone = (entries: ReadonlyMap<string, Entry>, others: ReadonlyMap<string, Entry>): string[] =>
    [...entries.keys()].filter((key) => !others.has(key));
  const left = { a: alone(before, after), b: alone(after, before) };
  return [
    ...[a, b].map(({ adapter, browser, date, rounds }, k) =>
      wrap(`${'ab'[k]}: ${date.slice(0, 16)}, ${adapter}, ${browser}, ${rounds} rounds`, '   '),
    ),
    terminalTable(COLUMNS, lines),
    ...Object.entries(left)
      .filter(([, keys]) => keys.length > 0)
      .map(([name, keys]) => wrap(`only in ${name}: ${keys.join(', ')}`)),
  ].join('\n');
}

const suiteOf = (results: Results | SuiteResults): string => ('suite' in results ? results.suite : 'steps');

function entriesOf(results: Results | SuiteResults): ReadonlyMap<string, Entry> {
  const entries: Entry[] =
    'suite' in results
      ? results.rows.map((row) => ({
          ...row,
          group: row.case,
          name: row.contestant,
          timesBase: row.timesBaseline,
        }))
      : results.rows.map((row) => ({
          ...row,
          group: `${row.case} ${row.rule}`,
          name: row.peer,
          timesBase: row.fractionOfLimit === null ? null : 1 / row.fractionOfLimit,
        }));
  return new Map(entries.map((entry) => [`${entry.group} ${entry.name}`, entry]));
}

function compared(a: Entry, b: Entry): string[] {
  const ratio = (before: number | null, after: number | null): string =>
    before === null || after === null ? '' : (after / before).toFixed(2);
  return [
    formatMs(a.medianMs),
    formatMs(b.medianMs),
    ratio(a.medianMs, b.medianMs),
    ratio(a.minMs, b.minMs),
    ...[a, b].map(({ timesBase }) => (timesBase === null ? '' : timesBase.toFixed(2))),
    ratio(a.timesBase, b.timesBase),
  ];
}
