import { mkdirSync, writeFileSync } from 'node:fs';
import { drawCharts } from '../draw-charts.js';
import type { Results } from '../rows.js';

/** Writes results as JSON to bench/results, with their charts beside it, and says so on stderr. */
export function saveResults(results: Results): void {
  // Right both here and in bench/dist, where this is bundled to.
  const folder = new URL('../results/', import.meta.url);
  mkdirSync(folder, { recursive: true });
  const name = `${results.date.slice(0, 16).replaceAll(':', '')}-${results.adapter.replaceAll(/\W+/g, '-')}`;
  const files = {
    [`${name}.json`]: `${JSON.stringify(results, undefined, 1)}\n`,
    ...drawCharts(results, name),
  };
  for (const [file, text] of Object.entries(files)) {
    writeFileSync(new URL(file, folder), text);
    console.error(`Saved bench/results/${file}`);
  }
}
