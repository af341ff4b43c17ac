import { randomInt } from 'node:crypto';
import { type Command, Option } from 'commander';
import type { AdapterChoice, BrowserKind } from '../scripts/browsers.js';
import { createCommand, integerFrom } from '../scripts/terminal/command-line.js';
import { suites } from './suites/suites.js';

/** The names of all suites. */
export type SuiteName = 'steps' | keyof typeof suites;

const SUITE_NAMES: readonly SuiteName[] = ['steps', ...(Object.keys(suites) as (keyof typeof suites)[])];

/** What every suite is asked. */
export interface CommonOptions {
  readonly adapter: AdapterChoice;
  readonly browser: BrowserKind;
  readonly seed: number;
  readonly rounds: number;
  readonly json: boolean;
  readonly save: boolean;
  /** All columns, whatever the terminal's width. */
  readonly wide: boolean;
}

const suiteOption = (): Option =>
  new Option('--suite <name>', 'what is measured').choices(SUITE_NAMES).default('steps');

const compareOption = (): Option =>
  new Option('--compare <files...>', 'measure nothing: two saved results, a.json b.json, row by row');

const benchCommand = (): Command => createCommand('npm run bench --');

/** What a command line asks for: a suite, or a comparison of files. */
export function readRequest(argv: readonly string[]): { suite: SuiteName; compare?: readonly string[] } {
  return benchCommand()
    .addOption(suiteOption())
    .addOption(compareOption())
    .allowUnknownOption()
    .allowExcessArguments()
    .helpOption(false)
    .parse(argv)
    .opts();
}

/** A command line with the options of every suite. */
export function createSuiteCommand(description: string, rounds: string): Command {
  const others = Object.entries(suites).map(([name, suite]) => `  --suite ${name}: ${suite.description}`);
  return benchCommand()
    .description(description)
    .addOption(suiteOption())
    .addOption(compareOption())
    .addOption(
      new Option('--adapter <kind>', 'software: the same everywhere; default: the GPU of this machine')
        .choices(['software', 'default'])
        .default('software'),
    )
    .addOption(
      new Option('--browser <kind>', 'which browser').choices(['chrome', 'firefox']).default('chrome'),
    )
    .option('--rounds <n>', `rounds that count (default: ${rounds})`, integerFrom(1))
    .option('--seed <n>', 'repeats the data and the order of a run', integerFrom(0))
    .option('--json', 'print one JSON object instead of the table')
    .option('--save', 'also write JSON and charts to bench/results')
    .option('--wide', 'all columns; default: what fits 80')
    .addHelpText(
      'after',
      `\nSuites, each with options of its own (--suite <name> --help):\n` +
        `  --suite steps: optimizer steps against peers and the memory-traffic limit\n${others.join('\n')}`,
    );
}

/** What was given for them. */
export function commonOptions(command: Command, rounds: number): CommonOptions {
  const given = command.opts<{
    adapter: AdapterChoice;
    browser: BrowserKind;
    rounds?: number;
    seed?: number;
    json?: true;
    save?: true;
    wide?: true;
  }>();
  return {
    adapter: given.adapter,
    browser: given.browser,
    seed: given.seed ?? randomInt(2 ** 31),
    rounds: given.rounds ?? rounds,
    json: given.json ?? false,
    save: given.save ?? false,
    wide: given.wide ?? false,
  };
}
