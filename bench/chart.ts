/** `npx tsx bench/chart.ts FILE`: draws the charts of a saved result anew, beside it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, parse } from 'node:path';
import { drawCharts } from './draw-charts.js';
import type { SuiteResults } from './suite.js';
import type { Results } from '../lab/measuring/rows.js';

const [file] = process.argv.slice(2);
if (file === undefined) throw new Error('Give a file of bench/results.');
const results = JSON.parse(readFileSync(file, 'utf8')) as Results | SuiteResults;
const charts = Object.entries(drawCharts(results, parse(file).name));
if (charts.length === 0) throw new Error(`${file} has neither Adam and its limit nor a cost curve to draw.`);
for (const [name, svg] of charts) {
  const target = join(dirname(file), name);
  writeFileSync(target, svg);
  console.log(target);
}
