import { randomInt } from 'node:crypto';
import { Command, InvalidArgumentError, Option } from 'commander';
import type { AdapterChoice } from '../scripts/browsers.js';
import { rules as ruleRegistry } from '../src/index.js';
import {
  type CaseRequest,
  CURVE_CASES,
  DEFAULT_CASES,
  PAST_BINDING_LIMIT,
  QUICK_CASES,
  parseBytes,
  parseCase,
  restrictCase,
} from './cases.js';
import { PEER_NAMES, type PeerName } from './protocol.js';

/** Where the page's code runs. */
export type RuntimeChoice = 'browser' | 'node';

/** A case and a rule, to be measured together. */
export interface HeatChoice {
  readonly request: CaseRequest;
  readonly rule: string;
}

/** What `npm run bench` is to do. */
export interface BenchOptions {
  readonly heats: readonly HeatChoice[];
  readonly peers: readonly PeerName[];
  readonly runtime: RuntimeChoice;
  readonly adapter: AdapterChoice;
  readonly seed: number;
  readonly rounds: number;
  readonly minMeasurementMs: number;
  /** Whether to fit the cost of a step against its elements. */
  readonly curve: boolean;
  readonly json: boolean;
  readonly save: boolean;
}

const RULE_NAMES = Object.keys(ruleRegistry);

function listOf<T extends string>(names: readonly T[]): (text: string) => T[] {
  return (text) =>
    text.split(',').map((name) => {
      if (names.includes(name as T)) return name as T;
      throw new InvalidArgumentError(`"${name}" is none of ${names.join(', ')}.`);
    });
}

/** Makes commander report what a parser throws as a mistake on the command line. */
function parsed<T>(parse: (text: string) => T): (text: string) => T {
  return (text) => {
    try {
      return parse(text);
    } catch (error) {
      throw new InvalidArgumentError((error as Error).message);
    }
  };
}

function integerFrom(min: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isSafeInteger(value) && value >= min) return value;
    throw new InvalidArgumentError(`"${text}" is no integer ≥ ${min}.`);
  };
}

const parseCases = (text: string): CaseRequest[] => text.split(',').map(parseCase);

/** Reads the command line; on a mistake it prints what is wrong and ends the process. */
export function readOptions(argv: readonly string[]): BenchOptions {
  const command = new Command('npm run bench --')
    .description('Measures optimizer steps on WebGPU against peers and the memory-traffic limit.')
    .option('--quick', `a first impression: ${QUICK_CASES}, Adam only, fewer and shorter rounds`)
    .option(
      '--curve',
      `cost against elements: ${CURVE_CASES}, Adam, ours and limit; fits fixed and per-element cost`,
    )
    .option('--sizes <list>', `cases, e.g. 1e7,1000x1e3 (default: ${DEFAULT_CASES})`, parsed(parseCases))
    .option('--rules <list>', `of ${RULE_NAMES.join(', ')} (default: all)`, listOf(RULE_NAMES))
    .option('--peers <list>', `of ${PEER_NAMES.join(', ')} (default: all)`, listOf(PEER_NAMES))
    .addOption(
      new Option(
        '--runtime <kind>',
        'browser: headless Chromium; node: Dawn in this process, without a browser',
      )
        .choices(['browser', 'node'])
        .default('browser'),
    )
    .addOption(
      new Option('--adapter <kind>', 'software: the same everywhere; default: the GPU of this machine')
        .choices(['software', 'default'])
        .default('software'),
    )
    .option(
      '--max-binding <size>',
      'restricts storage bindings, e.g. 128MiB, in cases that do not say it themselves',
      parsed(parseBytes),
    )
    .option('--rounds <n>', 'rounds that count (default: 7)', integerFrom(1))
    .option('--seed <n>', 'repeats the data and the order of a run', integerFrom(0))
    .option('--json', 'print one JSON object instead of the table')
    .option('--save', 'also write JSON and charts to bench/results');
  const given = command.parse(argv).opts<{
    quick?: true;
    curve?: true;
    sizes?: CaseRequest[];
    rules?: string[];
    peers?: PeerName[];
    runtime: RuntimeChoice;
    adapter: AdapterChoice;
    maxBinding?: number;
    rounds?: number;
    seed?: number;
    json?: true;
    save?: true;
  }>();
  const { quick = false, curve = false, maxBinding } = given;
  const usual = parseCases(curve ? CURVE_CASES : quick ? QUICK_CASES : DEFAULT_CASES);
  const cases = (given.sizes ?? usual).map((request) =>
    maxBinding === undefined ? request : restrictCase(request, maxBinding),
  );
  return {
    heats: planHeats(cases, given.rules, quick || curve),
    peers: given.peers ?? (curve ? ['ours', 'limit'] : PEER_NAMES),
    runtime: given.runtime,
    adapter: given.adapter,
    seed: given.seed ?? randomInt(2 ** 31),
    rounds: given.rounds ?? (quick ? 3 : 7),
    minMeasurementMs: quick ? 40 : 100,
    curve,
    json: given.json ?? false,
    save: given.save ?? false,
  };
}

/** Every case with every rule. Unless rules are named, splitting a tensor is measured with Adam: it is no rule's affair. */
function planHeats(
  cases: readonly CaseRequest[],
  named: readonly string[] | undefined,
  adamOnly: boolean,
): HeatChoice[] {
  return cases.flatMap((request) => {
    const oneIsEnough = adamOnly || request.elementsPerTensor === PAST_BINDING_LIMIT;
    return (named ?? (oneIsEnough ? ['adam'] : RULE_NAMES)).map((rule) => ({ request, rule }));
  });
}
