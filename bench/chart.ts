/** `npx tsx bench/chart.ts FILE`: draws the charts of a saved result anew, beside it. */
import { writeFileSync } from 'node:fs';
import { dirname, join, parse } from 'node:path';
import { createCommand, runCommand } from '../scripts/terminal/command-line.js';
import { drawCharts } from './draw-charts.js';
import { readResults } from './read-results.js';

await runCommand('chart', async () => {
  const [file] = createCommand('npx tsx bench/chart.ts').argument('<file>', 'of bench/results').parse().args;
  const charts = Object.entries(drawCharts(readResults(file!), parse(file!).name));
  if (charts.length === 0)
    throw new Error(`${file} has neither Adam and its limit nor a cost curve to draw.`);
  for (const [name, svg] of charts) {
    const target = join(dirname(file!), name);
    writeFileSync(target, svg);
    console.log(target);
  }
});
