/** `npx tsx bench/report.ts FILE [RULE]`: a saved result, or one rule of it, as a Markdown table. */
import { readFileSync } from 'node:fs';
import type { Results } from '../lab/measuring/rows.js';
import type { SuiteResults } from './suite.js';
import { formatSuiteMarkdown } from './suite-table.js';
import { formatMarkdown } from './table.js';

const [file, rule] = process.argv.slice(2);
if (file === undefined) throw new Error('Give a file of bench/results.');
const results = JSON.parse(readFileSync(file, 'utf8')) as Results | SuiteResults;
if ('suite' in results) console.log(formatSuiteMarkdown(results));
else {
  const rows = results.rows.filter((row) => rule === undefined || row.rule === rule);
  console.log(formatMarkdown({ ...results, rows }));
}
