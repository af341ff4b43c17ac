import { randomInt } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import type { AdapterChoice } from '../scripts/browsers.js';
import { type BenchCase, DEFAULT_CASES, QUICK_CASES, parseCase } from './cases.js';
import { PEER_NAMES, type PeerName } from './protocol.js';

/** What `npm run bench` is to do. */
export interface BenchOptions {
  readonly cases: readonly BenchCase[];
  readonly rules: readonly string[];
  readonly peers: readonly PeerName[];
  readonly adapter: AdapterChoice;
  readonly seed: number;
  readonly rounds: number;
  readonly minMeasurementMs: number;
  readonly json: boolean;
  readonly save: boolean;
}

/** The rules, by their shaders: Node cannot import the registry, which imports shaders. */
const RULE_NAMES = readdirSync(new URL('../shaders/rules/', import.meta.url))
  .filter((file) => file.endsWith('.wgsl'))
  .map((file) => file.slice(0, -'.wgsl'.length));

function listOf<T extends string>(names: readonly T[]): (text: string) => T[] {
  return (text) =>
    text.split(',').map((name) => {
      if (names.includes(name as T)) return name as T;
      throw new InvalidArgumentError(`"${name}" is none of ${names.join(', ')}.`);
    });
}

function casesOf(text: string): BenchCase[] {
  try {
    return text.split(',').map(parseCase);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}

function integerFrom(min: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isSafeInteger(value) && value >= min) return value;
    throw new InvalidArgumentError(`"${text}" is no integer ≥ ${min}.`);
  };
}

/** Reads the command line; on a mistake it prints what is wrong and ends the process. */
export function readOptions(argv: readonly string[]): BenchOptions {
  const command = new Command('npm run bench --')
    .description('Measures optimizer steps on WebGPU against peers and the memory-traffic limit.')
    .option('--quick', `a first impression: ${QUICK_CASES}, Adam only, fewer and shorter rounds`)
    .option('--sizes <list>', `cases, e.g. 1e7,1000x1e3 (default: ${DEFAULT_CASES})`, casesOf)
    .option('--rules <list>', `of ${RULE_NAMES.join(', ')} (default: all)`, listOf(RULE_NAMES))
    .option('--peers <list>', `of ${PEER_NAMES.join(', ')} (default: all)`, listOf(PEER_NAMES))
    .addOption(
      new Option('--adapter <kind>', 'software: the same everywhere; default: the GPU of this machine')
        .choices(['software', 'default'])
        .default('software'),
    )
    .option('--rounds <n>', 'rounds that count (default: 7)', integerFrom(1))
    .option('--seed <n>', 'repeats the data and the order of a run', integerFrom(0))
    .option('--json', 'print one JSON object instead of the table')
    .option('--save', 'also write JSON to bench/results');
  const given = command.parse(argv).opts<{
    quick?: true;
    sizes?: BenchCase[];
    rules?: string[];
    peers?: PeerName[];
    adapter: AdapterChoice;
    rounds?: number;
    seed?: number;
    json?: true;
    save?: true;
  }>();
  const quick = given.quick ?? false;
  return {
    cases: given.sizes ?? casesOf(quick ? QUICK_CASES : DEFAULT_CASES),
    rules: given.rules ?? (quick ? ['adam'] : RULE_NAMES),
    peers: given.peers ?? PEER_NAMES,
    adapter: given.adapter,
    seed: given.seed ?? randomInt(2 ** 31),
    rounds: given.rounds ?? (quick ? 3 : 7),
    minMeasurementMs: quick ? 40 : 100,
    json: given.json ?? false,
    save: given.save ?? false,
  };
}
