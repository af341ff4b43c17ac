/** `npm run runtimes`: the README's example, steps against the reference and a resumed run in every runtime. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Option } from 'commander';
import { runInBrowser } from '../runtimes/browser.js';
import { PAGE_FILE, RECORDS_FILE, runtimesPage } from '../runtimes/docs-page.js';
import { RUNTIMES, type RuntimeName, type RuntimeReport } from '../runtimes/report.js';
import { runInTerminal } from '../runtimes/terminal.js';
import { makeUserFolder } from '../runtimes/user-folder.js';
import type { AdapterChoice } from './browsers.js';
import { UsageError, createCommand, listOf, runCommand } from './terminal/command-line.js';

await runCommand('runtimes', main);

async function main(): Promise<number> {
  const { only, adapter, update } = createCommand('npm run runtimes --')
    .description(
      "Runs the README's example, steps of rules against the reference and a resumed run in every runtime.",
    )
    .option('--only <list>', `of ${RUNTIMES.join(', ')} (default: all)`, listOf(RUNTIMES))
    .addOption(
      new Option('--adapter <kind>', "software: the CPU's, as records are made; default: this machine's GPU")
        .choices(['software', 'default'])
        .default('software'),
    )
    .option('--update', 'writes docs/runtimes.md; needs all runtimes on their software adapters')
    .parse()
    .opts<{ only?: RuntimeName[]; adapter: AdapterChoice; update?: true }>();

  if (update && (only || adapter !== 'software')) {
    throw new UsageError(
      '--update writes about all runtimes on software adapters: leave out --only and --adapter.',
    );
  }
  const folder = mkdtempSync(join(tmpdir(), 'webgpu-optim-runtimes-'));
  try {
    await makeUserFolder(folder);
    const reports: RuntimeReport[] = [];
    let isGood = true;
    // One at a time: software adapters take all cores.
    for (const name of only ?? RUNTIMES) {
      try {
        const report = await runIn(name, folder, adapter);
        reports.push(report);
        isGood &&= report.record.failures.length === 0;
        console.log(describe(report));
      } catch (error) {
        isGood = false;
        console.error(`${name}: ${(error as Error).message}`);
      }
    }
    if (update && isGood) {
      writeFileSync(RECORDS_FILE, `${JSON.stringify(reports, undefined, 1)}\n`);
      writeFileSync(PAGE_FILE, runtimesPage(reports));
      console.log(`Written: ${fileURLToPath(PAGE_FILE)}`);
    }
    return isGood ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function runIn(name: RuntimeName, folder: string, adapter: AdapterChoice): Promise<RuntimeReport> {
  return name === 'chrome' || name === 'firefox'
    ? runInBrowser(name, folder, adapter)
    : runInTerminal(name, folder, adapter);
}

function describe({ title, webgpu, record }: RuntimeReport): string {
  const { adapter: found, example, rules, resumed, failures } = record;
  const largest = Math.max(...rules.map(({ maxOfBound }) => maxOfBound));
  const exact = rules.filter(({ sameBits }) => sameBits).length;
  return [
    `${title} (${webgpu}) on ${found}`,
    `  example ${example}; ${rules.length} rules, ${exact} with the bits of the twin, at most ` +
      `${(100 * largest).toFixed(0)} % of the bound; resumed from ${resumed.join(' and ') || 'nothing'}`,
    ...failures.map((failure) => `  FAILED ${failure}`),
  ].join('\n');
}
