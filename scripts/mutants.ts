/**
 * `npm run mutants`: makes the slips listed in test/mutants one at a time in a copy of the tree and runs the tests that should
 * notice each. Takes an hour or two, so it is for the night and for whoever changes a test.
 *
 * Its exit status is 1 if fewer than {@link LEAST_NOTICED} are noticed, or if a slip no longer fits the code.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { Command } from 'commander';
import { slips } from '../test/mutants/slips.js';
import type { Slip } from '../test/mutants/slip.js';
import { ensureBrowser } from './browsers.js';
import { runVitest } from './run-vitest.js';

const LEAST_NOTICED = 0.9;
/** A slip may make a test wait for ever. */
const LIMIT_MS = 300_000;
/** On the disk of the packages, which are linked and not copied. Git, linter and formatter ignore it. */
const TREE = resolve('.cache/mutants');

const { only, list } = new Command('npm run mutants --')
  .description('Makes slips one at a time in a copy of the tree and says which of them the tests notice.')
  .option('--only <text>', 'only slips whose file, or text, has this in it', '')
  .option('--list', 'only says which slips fit the code, and runs nothing')
  .parse()
  .opts<{ only: string; list?: true }>();

const chosen = slips.filter(({ file, find }) => file.includes(only) || find.includes(only));
const misfits = chosen.filter((slip) => misfitOf(slip) !== undefined);
for (const slip of misfits) console.log(`MISFIT ${describe(slip)}: ${misfitOf(slip)}`);
const fitting = chosen.filter((slip) => !misfits.includes(slip));
if (list) console.log(`${fitting.length} of ${chosen.length} slips fit the code.`);
const isGood = list ? true : await runAll(fitting);
process.exit(isGood && misfits.length === 0 ? 0 : 1);

async function runAll(all: readonly Slip[]): Promise<boolean> {
  process.env['TEST_SEED'] ||= '1';
  await ensureBrowser('chrome');
  copyTree();
  try {
    const broken = await findBroken(all);
    const unnoticed: Slip[] = [];
    for (const [k, slip] of all.entries()) {
      const by = await noticeOf(slip, broken);
      if (by === undefined) unnoticed.push(slip);
      console.log(`${k + 1}/${all.length} ${by ?? 'UNNOTICED'}: ${describe(slip)}`);
    }
    const share = 1 - unnoticed.length / Math.max(all.length, 1);
    console.log(['', ...unnoticed.map((slip) => `UNNOTICED ${describe(slip)}`)].join('\n'));
    for (const test of broken) console.log(`NOT RUN, it fails without any slip: ${test}`);
    console.log(`${all.length - unnoticed.length} of ${all.length} noticed, ${(100 * share).toFixed(1)} %`);
    return share >= LEAST_NOTICED && broken.size === 0;
  } finally {
    rmSync(TREE, { recursive: true, force: true });
  }
}

/** Tests that fail as the code is: they would notice everything. */
async function findBroken(all: readonly Slip[]): Promise<Set<string>> {
  const broken = new Set<string>();
  for (const test of new Set(all.flatMap(({ noticedBy }) => noticedBy))) {
    if (await fails(test)) broken.add(test);
  }
  return broken;
}

/** The first of the tests that notices a slip. */
async function noticeOf(slip: Slip, broken: ReadonlySet<string>): Promise<string | undefined> {
  const file = join(TREE, slip.file);
  const text = readFileSync(file, 'utf8');
  writeFileSync(
    file,
    text.replace(slip.find, () => slip.replace),
  );
  try {
    for (const test of slip.noticedBy) if (!broken.has(test) && (await fails(test))) return test;
    return undefined;
  } finally {
    writeFileSync(file, text);
  }
}

async function fails(test: string): Promise<boolean> {
  const project = test.startsWith('unit/') ? 'unit' : 'chrome';
  const args = [`--project=${project}`, `test/${test}.test.ts`, '--bail=1'];
  const { failed } = await runVitest(args, LIMIT_MS, { cwd: TREE, quiet: true });
  return failed > 0;
}

/** Why a slip cannot be made, if so: the code has moved on, and the list has to follow. */
function misfitOf({ file, find, noticedBy }: Slip): string | undefined {
  if (!existsSync(file)) return 'there is no such file';
  const count = readFileSync(file, 'utf8').split(find).length - 1;
  if (count !== 1) return `its text occurs ${count} times`;
  const missing = noticedBy.find((test) => !existsSync(`test/${test}.test.ts`));
  return missing === undefined ? undefined : `there is no test/${missing}.test.ts`;
}

function describe({ file, find, replace }: Slip): string {
  const short = (text: string): string => text.replaceAll(/\s+/gu, ' ').trim();
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
