import { mkdirSync, writeFileSync } from 'node:fs';
import type { Results } from '../../lab/measuring/rows.js';
import { drawCharts } from '../draw-charts.js';
import type { SuiteResults } from '../suite.js';

/** Writes results as JSON to bench/results, with their charts beside it, and says so on stderr. */
export function saveResults(results: Results | SuiteResults): void {
  const suite = 'suite' in results ? `-${results.suite}` : '';
  const name = `${results.date.slice(0, 19).replaceAll(':', '')}${suite}-${results.adapter.replaceAll(/\W+/g, '-')}`;
  // Right both here and in bench/dist, where this is bundled to.
  const folder = new URL('../results/', import.meta.url);
  mkdirSync(folder, { recursive: true });
  const json = `${JSON.stringify(results, undefined, 1)}\n`;
  const files = { [`${name}.json`]: json, ...drawCharts(results, name) };
  for (const [file, text] of Object.entries(files)) {
    writeFileSync(new URL(file, folder), text);
    console.error(`Saved bench/results/${file}`);
  }
}
