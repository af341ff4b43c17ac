/** The command line of `npm run fleet`. */
import { Option } from 'commander';
import type { FleetTask } from '../../demo/headless/fleet/protocol.js';
import type { Compress } from '../../src/outer/index.js';
import { createCommand, integerFrom } from '../terminal/command-line.js';

/** How deltas can be written, by the names that the command line has for it. */
export const COMPRESSIONS = {
  none: 'none',
  bf16: 'bf16',
  int8: 'int8',
  topk: { topK: 0.02, bits: 4 },
} as const satisfies Record<string, Compress>;

export type CompressionName = keyof typeof COMPRESSIONS;

/** A parsed command line. */
export interface FleetCommand {
  readonly task: FleetTask;
  readonly peers: number;
  readonly every: number;
  readonly rounds: number;
  readonly compressions: readonly CompressionName[];
  readonly seed: number;
  /** Whether one peer trains with as many samples, too. */
  readonly one: boolean;
  readonly kill: boolean;
  readonly poison: boolean;
  readonly json: boolean;
}

const NAMES = Object.keys(COMPRESSIONS) as CompressionName[];
/** Each is a tab. */
const MOST_PEERS = 32;

/**
 * Parses the command line.
 *
 * @throws CommanderError after printing one line that quotes the bad argument, or the help if that was asked for.
 */
export function parseFleetCommand(argv: readonly string[]): FleetCommand {
  const { all, compress, ...options } = createCommand('npm run fleet --')
    .description(
      'Trains a fleet: tabs of a headless browser, each with a share of the examples, which give each other over a NATS server how ' +
        'far they have come. Says what they came to, beside one peer with as many samples, and how many bytes they sent.',
    )
    .addOption(
      new Option('--task <name>', 'what is trained: a network for digits, or a transformer on Moby-Dick')
        .choices(['digits', 'moby-dick'])
        .default('digits'),
    )
    .option('--peers <count>', 'how many', integerFrom(1, MOST_PEERS), 4)
    .option('--every <steps>', 'steps between two rounds', integerFrom(1), 50)
    .option('--rounds <count>', 'how many', integerFrom(1), 8)
    .addOption(new Option('--compress <name>', 'how deltas are written').choices(NAMES).default('none'))
    .addOption(
      new Option('--all', 'once with each compression')
        .conflicts(['compress', 'kill', 'poison'])
        .default(false),
    )
    .option('--seed <number>', 'first weights, batches, and who is killed', integerFrom(0, 2 ** 31), 1)
    .option('--no-one', 'without the one peer to compare with')
    .option('--kill', 'peers are killed at random, and others come in their place', false)
    .option('--poison', 'one more peer, which gives NaN and deltas that are 1,000 times too large', false)
    .option('--json', 'print one JSON object as the last line; progress goes to standard error', false)
    .parse(argv)
    .opts<Omit<FleetCommand, 'compressions'> & { all: boolean; compress: CompressionName }>();
  return { ...options, compressions: all ? NAMES : [compress] };
}
