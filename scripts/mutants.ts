/**
 * `npm run mutants`: makes the slips listed in test/mutants one at a time in a copy of the tree and runs the tests that should
 * notice each. It takes an hour or so, and is for the night and for whoever changes a test.
 *
 * Its exit status is 1 if fewer than {@link LEAST_NOTICED} are noticed, or if a slip no longer fits the code.
 */
import { execFileSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { slips } from '../test/mutants/slips.js';
import { Random } from '../proof/random.js';
import { type Slip, partsOf } from '../test/mutants/slip.js';
import { ensureBrowser } from './browsers.js';
import { TestRunner } from './mutants/client.js';
import type { Answer } from './mutants/server.js';
import { ensureNatsServer } from './nats-server.js';
import { createCommand, integerFrom, runCommand } from './terminal/command-line.js';
import { beforeLeaving } from './terminal/leaving.js';

const LEAST_NOTICED = 0.9;
/** What a test file may take as the code is. */
const LIMIT_MS = 300_000;
/** What one with a slip may take: so many times as long as without, and this on top. */
const PATIENCE = 4;
const PATIENCE_MS = 60_000;
/** On the disk of the packages, which are linked and not copied. Git, linter and formatter ignore it. */
const TREE = resolve('.cache/mutants');

interface MutantsOptions {
  readonly only: string;
  readonly unit?: true;
  readonly draw?: number;
  readonly seed: number;
  readonly list?: true;
}

const isUnit = (test: string): boolean => test.startsWith('unit/');

async function main(): Promise<number> {
  const options = createCommand('npm run mutants --')
    .description('Makes slips one at a time in a copy of the tree and says which of them the tests notice.')
    .option('--only <text>', 'only slips whose file, or text, has this in it', '')
    .option('--unit', 'only unit tests, and slips that one of them should notice: without SwiftShader')
    .option('--draw <count>', 'only so many of them, drawn at random', integerFrom(1))
    .option('--seed <integer>', 'draws the same ones again', integerFrom(0), randomInt(2 ** 31))
    .option('--list', 'only says which slips fit the code, and runs nothing')
    .parse()
    .opts<MutantsOptions>();
  const { only, list, unit, draw, seed } = options;
  const chosen = slips
    .filter(({ file, find }) => file.includes(only) || find.includes(only))
    .map((slip) => (unit ? { ...slip, noticedBy: slip.noticedBy.filter(isUnit) } : slip))
    .filter(({ noticedBy }) => noticedBy.length > 0);
  const misfits = chosen.filter((slip) => misfitOf(slip) !== undefined);
  for (const slip of misfits) console.log(`MISFIT ${describe(slip)}: ${misfitOf(slip)}`);
  const fitting = drawn(
    chosen.filter((slip) => !misfits.includes(slip)),
    options,
  );
  if (draw !== undefined) console.log(`--draw ${draw} --seed ${seed}`);
  if (list) console.log(`${fitting.length} of ${chosen.length} slips fit the code.`);
  const isEnough = list ? true : await runAll(fitting, unit ?? false);
  return isEnough && misfits.length === 0 ? 0 : 1;
}

async function runAll(all: readonly Slip[], unit: boolean): Promise<boolean> {
  process.env['TEST_SEED'] ||= '1';
  if (!unit) {
    ensureNatsServer();
    await ensureBrowser('chrome');
  }
  copyTree();
  const runner = new TestRunner(TREE, unit ? ['unit'] : ['unit', 'nats', 'node', 'e2e']);
  const takeBack = beforeLeaving(() => runner.stop());
  try {
    return await new Mutation(runner).run(all);
  } finally {
    takeBack();
    runner.stop();
    rmSync(TREE, { recursive: true, force: true });
  }
}

/** A run over many slips. */
class Mutation {
  /** Milliseconds that tests take as the code is; of those that fail then, Infinity: they would notice everything. */
  readonly #timeOf = new Map<string, number>();
  readonly #noticedBy = new Map<Slip, string | undefined>();
  /** Files that are not what they were at the last run. */
  #changed: string[] = [];

  constructor(private readonly runner: TestRunner) {}

  async run(all: readonly Slip[]): Promise<boolean> {
    const start = Date.now();
    for (const slip of all) {
      const before = Date.now();
      const { test, reason } = await this.#noticeOf(slip);
      this.#noticedBy.set(slip, test);
      const took = `${((Date.now() - before) / 1000).toFixed(1)} s`;
      console.log(
        `${this.#noticedBy.size}/${all.length} ${test ?? 'UNNOTICED'} (${took}): ${describe(slip)}${test ? ` | ${short(reason).slice(0, 120)}` : ''}`,
      );
    }
    return this.#report(all, Date.now() - start);
  }

  /** The first of the tests that notices a slip. */
  async #noticeOf(slip: Slip): Promise<{ test?: string; reason: string }> {
    for (const test of slip.noticedBy) {
      const time = await this.#timeAsIs(test);
      if (time === Infinity) continue;
      const { isGood, reason } = await this.#askWith(slip, test, PATIENCE * time + PATIENCE_MS);
      if (!isGood) return { test, reason };
    }
    return { reason: '' };
  }

  /** Runs a test while the slip is in the code. */
  async #askWith({ file, find, replace }: Slip, test: string, limitMs: number): Promise<Answer> {
    const path = join(TREE, file);
    const text = readFileSync(path, 'utf8');
    writeFileSync(
      path,
      text.replace(find, () => replace),
    );
    this.#changed.push(file);
    try {
      return await this.#ask(test, limitMs);
    } finally {
      writeFileSync(path, text);
      this.#changed.push(file);
    }
  }

  async #timeAsIs(test: string): Promise<number> {
    const known = this.#timeOf.get(test);
    if (known !== undefined) return known;
    const start = Date.now();
    const { isGood, reason } = await this.#ask(test, LIMIT_MS);
    const time = isGood ? Date.now() - start : Infinity;
    console.log(`${test} takes ${(time / 1000).toFixed(1)} s${isGood ? '' : `: ${short(reason)}`}`);
    this.#timeOf.set(test, time);
    return time;
  }

  async #ask(test: string, limitMs: number): Promise<Answer> {
    const changed = this.#changed;
    this.#changed = [];
    return this.runner.run(test, changed, limitMs);
  }

  #report(all: readonly Slip[], took: number): boolean {
    const unnoticed = all.filter((slip) => this.#noticedBy.get(slip) === undefined);
    const broken = [...this.#timeOf].filter(([, time]) => time === Infinity).map(([test]) => test);
    const byUnit = all.filter((slip) => this.#noticedBy.get(slip)?.startsWith('unit/')).length;
    const noticed = all.length - unnoticed.length;
    const share = noticed / Math.max(all.length, 1);
    console.log(['', ...unnoticed.map((slip) => `UNNOTICED ${describe(slip)}`)].join('\n'));
    for (const test of broken) console.log(`NOT RUN, it fails without any slip: ${test}`);
    console.log(
      `${noticed} of ${all.length} noticed, ${byUnit} by unit tests and ${noticed - byUnit} by others: ` +
        `${(100 * share).toFixed(1)} %, in ${(took / 60_000).toFixed(1)} minutes`,
    );
    return share >= LEAST_NOTICED && broken.length === 0;
  }
}

/** As many as `--draw` says, in the order of the list. */
function drawn(all: readonly Slip[], { draw, seed }: MutantsOptions): readonly Slip[] {
  const count = Math.min(draw ?? all.length, all.length);
  const random = new Random(seed);
  const rest = [...all];
  const taken = new Set(Array.from({ length: count }, () => rest.splice(random.integer(rest.length), 1)[0]));
  return all.filter((slip) => taken.has(slip));
}

/** Why a slip cannot be made, if so: the code has moved on, and the list has to follow. */
function misfitOf({ file, find, noticedBy }: Slip): string | undefined {
  if (!existsSync(file)) return 'there is no such file';
  const count = readFileSync(file, 'utf8').split(find).length - 1;
  if (count !== 1) return `its text occurs ${count} times`;
  const missing = noticedBy.map((test) => partsOf(test).path).find((path) => !existsSync(path));
  return missing === undefined ? undefined : `there is no ${missing}`;
}

function short(text: string): string {
  return text.replaceAll(/\s+/gu, ' ').trim();
}

function describe({ file, find, replace }: Slip): string {
  return `${file}: ${short(find)} → ${short(replace) || 'nothing'}`;
}

function copyTree(): void {
  rmSync(TREE, { recursive: true, force: true });
  const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '-z'], { encoding: 'utf8' });
  for (const file of files.split('\0').filter((name) => name !== '' && existsSync(name))) {
    mkdirSync(dirname(join(TREE, file)), { recursive: true });
    cpSync(file, join(TREE, file));
  }
  linkPackages();
}

/** Packages as they are. What vite has made of them is not: it would be written to. */
function linkPackages(): void {
  const target = join(TREE, 'node_modules');
  if (process.platform === 'win32') cpSync('node_modules', target, { recursive: true });
  else execFileSync('cp', [process.platform === 'linux' ? '-al' : '-R', 'node_modules', target]);
  for (const name of readdirSync(target)) {
    if (name.startsWith('.vite')) rmSync(join(target, name), { recursive: true });
  }
}

// At the end, where classes are there.
await runCommand('mutants', main);
