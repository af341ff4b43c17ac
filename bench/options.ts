import { Option } from 'commander';
import { listOf } from '../scripts/terminal/command-line.js';
import { parsed, ruleNames } from './arguments.js';
import { type CommonOptions, commonOptions, createSuiteCommand } from './common-options.js';
import {
  type CaseRequest,
  CURVE_CASES,
  DEFAULT_CASES,
  PAST_BINDING_LIMIT,
  QUICK_CASES,
  parseBytes,
  parseCase,
  restrictCase,
} from '../lab/measuring/cases.js';
import { FLOAT_PEERS, PEER_NAMES, type PeerName } from '../lab/measuring/protocol.js';

/** Where the page's code runs. */
export type RuntimeChoice = 'browser' | 'node';

/** A case and a rule, to be measured together. */
export interface HeatChoice {
  readonly request: CaseRequest;
  readonly rule: string;
}

/** What the suite `steps` is to do. */
export interface BenchOptions extends CommonOptions {
  readonly heats: readonly HeatChoice[];
  readonly peers: readonly PeerName[];
  readonly runtime: RuntimeChoice;
  readonly minMeasurementMs: number;
  /** Whether to fit the cost of a step against its elements. */
  readonly curve: boolean;
}

const parseCases = (text: string): CaseRequest[] => text.split(',').map(parseCase);

/** Reads the command line. */
export function readOptions(argv: readonly string[]): BenchOptions {
  const command = createSuiteCommand(
    'Measures optimizer steps on WebGPU against peers and the memory-traffic limit.',
    '7',
  )
    .option('--quick', `a first impression: ${QUICK_CASES}, Adam only, fewer and shorter rounds`)
    .option(
      '--curve',
      `cost against elements: ${CURVE_CASES}, Adam, ours and limit; fits fixed and per-element cost`,
    )
    .option('--sizes <list>', `cases, e.g. 1e7,1000x1e3 (default: ${DEFAULT_CASES})`, parsed(parseCases))
    .option('--rules <list>', `of ${ruleNames.join(', ')} (default: all)`, listOf(ruleNames))
    .option('--peers <list>', `of ${PEER_NAMES.join(', ')} (default: all of float32)`, listOf(PEER_NAMES))
    .addOption(
      new Option(
        '--runtime <kind>',
        'browser: headless Chromium; node: Dawn in this process, without a browser',
      )
        .choices(['browser', 'node'])
        .default('browser'),
    )
    .option(
      '--max-binding <size>',
      'restricts storage bindings, e.g. 128MiB, in cases that do not say it themselves',
      parsed(parseBytes),
    );
  const given = command.parse(argv).opts<{
    quick?: true;
    curve?: true;
    sizes?: CaseRequest[];
    rules?: string[];
    peers?: PeerName[];
    runtime: RuntimeChoice;
    maxBinding?: number;
  }>();
  const { quick = false, curve = false, maxBinding } = given;
  const usual = parseCases(curve ? CURVE_CASES : quick ? QUICK_CASES : DEFAULT_CASES);
  const cases = (given.sizes ?? usual).map((request) =>
    maxBinding === undefined ? request : restrictCase(request, maxBinding),
  );
  return {
    ...commonOptions(command, quick ? 3 : 7),
    heats: planHeats(cases, given.rules, quick || curve),
    peers: given.peers ?? (curve ? ['ours', 'limit'] : FLOAT_PEERS),
    runtime: given.runtime,
    minMeasurementMs: quick ? 40 : 100,
    curve,
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
    return (named ?? (oneIsEnough ? ['adam'] : ruleNames)).map((rule) => ({ request, rule }));
  });
}
