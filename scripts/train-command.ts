/** The command line of `npm run train`. */
import { Option } from 'commander';
import type { StateDtype } from '../src/index.js';
import { trainingDefaults } from '../demo/train/presets.js';
import type { TrainingOptions } from '../demo/train/reports.js';
import type { BrowserKind } from './browsers.js';
import { createCommand, integerFrom, positiveNumber } from './terminal/command-line.js';

/** A parsed command line. */
export interface TrainCommand {
  readonly rule: string;
  /** The preset of the rule when not given. */
  readonly lr: number | undefined;
  readonly stateDtype: StateDtype;
  readonly browser: BrowserKind;
  readonly json: boolean;
  readonly compare: boolean;
  readonly training: TrainingOptions;
}

/** A comparison trains with all of them; one epoch tells the optimizers apart and takes minutes, not an hour. */
const COMPARE_EPOCHS = 1;
/** There is no larger batch than all digits to train on. */
const MAX_BATCH = 8000;
const MAX_SEED = 2 ** 32 - 1;
const STATE_DTYPES = ['f32', 'bf16', 'int8', 'int4'] as const satisfies readonly StateDtype[];

/**
 * Parses the command line.
 *
 * @throws CommanderError after printing one line that quotes the bad argument, or the help if that was asked for.
 */
export function parseTrainCommand(argv: readonly string[]): TrainCommand {
  const program = createCommand('npm run train --')
    .description(
      'Trains a 784-256-10 network on 8,000 digits in a headless browser. TensorFlow.js computes the gradients, ' +
        'the kernels of webgpu-optim update the parameters in place.',
    )
    .option(
      '--rule <name>',
      'rule that updates the parameters; muon has adamw for what is no matrix',
      trainingDefaults.rule,
    )
    .addOption(
      new Option(
        '--epochs <count>',
        `passes over the digits (default: ${trainingDefaults.epochs}, with --compare ${COMPARE_EPOCHS})`,
      ).argParser(integerFrom(1)),
    )
    .addOption(
      new Option(
        '--lr <rate>',
        'learning rate of the first step; it falls to zero along a line (default: one fit for the rule)',
      ).argParser(positiveNumber),
    )
    .addOption(
      new Option('--state-dtype <name>', 'how the state of the rule is kept')
        .choices(STATE_DTYPES)
        .default('f32' satisfies StateDtype),
    )
    .addOption(
      new Option('--batch <count>', 'digits a step')
        .argParser(integerFrom(1, MAX_BATCH))
        .default(trainingDefaults.batchSize),
    )
    .addOption(
      new Option('--seed <number>', 'initial weights and order of the digits')
        .argParser(integerFrom(0, MAX_SEED))
        .default(trainingDefaults.seed),
    )
    .addOption(
      new Option('--browser <kind>', 'browser to train in')
        .choices(['chrome', 'firefox'])
        .default('chrome' satisfies BrowserKind),
    )
    .option('--json', 'print one JSON object as the last line; progress goes to standard error', false)
    .addOption(
      new Option('--compare', "train with every rule and with tf.train's own optimizers, print a table")
        .conflicts(['rule', 'lr', 'stateDtype'])
        .default(false),
    );
  program.parse(argv);
  const options = program.opts<{
    rule: string;
    epochs?: number;
    lr?: number;
    stateDtype: StateDtype;
    batch: number;
    seed: number;
    browser: BrowserKind;
    json: boolean;
    compare: boolean;
  }>();
  return {
    rule: options.rule,
    lr: options.lr,
    stateDtype: options.stateDtype,
    browser: options.browser,
    json: options.json,
    compare: options.compare,
    training: {
      epochs: options.epochs ?? (options.compare ? COMPARE_EPOCHS : trainingDefaults.epochs),
      batchSize: options.batch,
      seed: options.seed,
      reportEvery: trainingDefaults.reportEvery,
    },
  };
}
