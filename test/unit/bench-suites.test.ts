import { Command } from 'commander';
import { expect, test } from 'vitest';
import { drawCharts } from '../../bench/draw-charts.js';
import { makeSuiteRows } from '../../bench/measure-suite.js';
import type { Suite, SuiteResults } from '../../bench/suite.js';
import { formatSuiteMarkdown } from '../../bench/suite-table.js';
import { suites } from '../../bench/suites/suites.js';

const counts = { dispatches: 2, submits: 1, newObjects: 0, hostMs: 0.25 };
const heat = { case: 'a case', contestants: { slow: 1, fast: 2, limit: 3 }, baselines: ['slow', 'limit'] };
const times = new Map([
  ['slow', [8, 9, 40]],
  ['fast', [2, 3, 4]],
  ['limit', [4, 4, 5]],
]);
const cpuMs = new Map([
  ['slow', 10],
  ['fast', Number.NaN],
]);
const rows = makeSuiteRows(heat, { times, cpuMs }, [counts, counts, counts]);
const results: SuiteResults = {
  suite: 'invented',
  adapter: 'an adapter',
  browser: 'a browser',
  date: '2026-01-02T03:04:05.000Z',
  seed: 1,
  rounds: 3,
  baseline: 'limit',
  rows,
};

test('a row has median, least and the median ratio to the best of the baselines, round by round', () => {
  expect(rows).toEqual([
    { case: 'a case', contestant: 'slow', medianMs: 9, minMs: 8, cpuMs: 10, timesBaseline: 2.25, ...counts },
    {
      case: 'a case',
      contestant: 'fast',
      medianMs: 3,
      minMs: 2,
      cpuMs: null,
      timesBaseline: 0.75,
      ...counts,
    },
    { case: 'a case', contestant: 'limit', medianMs: 4, minMs: 4, cpuMs: null, timesBaseline: 1, ...counts },
  ]);
});

test('a suite is printed, and drawn', () => {
  expect(formatSuiteMarkdown(results).split('\n').slice(2)).toEqual([
    '| a case | slow | 9.00 | 8.00 | 0.250 | 10.0 | 2.25 | 2 | 1 | 0 |',
    '| a case | fast | 3.00 | 2.00 | 0.250 |  | 0.750 | 2 | 1 | 0 |',
    '| a case | limit | 4.00 | 4.00 | 0.250 |  | 1.00 | 2 | 1 | 0 |',
  ]);
  const charts = drawCharts(results, 'name');
  expect(Object.keys(charts)).toEqual(['name.svg']);
  for (const text of ['invented: time of a step over that of limit', 'slow', 'fast']) {
    expect(charts['name.svg']).toContain(text);
  }
});

test.each(Object.entries(suites))(
  '%s has heats by its defaults, each with a baseline of its own',
  (_, given) => {
    const suite = given as unknown as Suite<object>;
    const command = new Command();
    suite.addOptions(command);
    const heats = suite.heats(command.parse([], { from: 'user' }).opts());
    expect(heats.length).toBeGreaterThan(0);
    for (const { contestants, baselines } of heats) {
      expect(Object.keys(contestants).length).toBeGreaterThan(1);
      expect(Object.keys(contestants)).toEqual(expect.arrayContaining([...baselines]));
      expect(baselines.length).toBeGreaterThan(0);
    }
  },
);
