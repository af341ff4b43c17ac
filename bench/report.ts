/** `npx tsx bench/report.ts FILE [RULE]`: a saved result, or one rule of it, as a Markdown table. */
import { createCommand, runCommand } from '../scripts/terminal/command-line.js';
import { readResults } from './read-results.js';
import { formatSuiteMarkdown } from './suite-table.js';
import { formatMarkdown } from './table.js';

await runCommand('report', async () => {
  const [file, rule] = createCommand('npx tsx bench/report.ts')
    .argument('<file>', 'of bench/results')
    .argument('[rule]', 'only this one')
    .parse().args;
  const results = readResults(file!);
  if ('suite' in results) console.log(formatSuiteMarkdown(results));
  else {
    const rows = results.rows.filter((row) => rule === undefined || row.rule === rule);
    console.log(formatMarkdown({ ...results, rows }));
  }
});
