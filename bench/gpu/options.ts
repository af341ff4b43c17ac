import { Option } from 'commander';
import { createCommand, listOf } from '../../scripts/terminal/command-line.js';
import { type BenchOptions, readOptions } from '../options.js';

/** A part of a session that can be left out. */
export type SessionPart = 'parity' | 'bench' | 'torch' | 'shapes';

/** What a session on a GPU is to do. */
export interface GpuOptions {
  /** Folder that gets a folder named after the GPU. */
  readonly out: string;
  readonly quick: boolean;
  readonly skip: readonly SessionPart[];
  /** Rules whose parity is checked; absent: all. */
  readonly parityRules: readonly string[] | undefined;
  /** The Python that has PyTorch. */
  readonly python: string;
  readonly bench: BenchOptions;
}

const PARTS: readonly SessionPart[] = ['parity', 'bench', 'torch', 'shapes'];
/** The rules that PyTorch has as fused or foreach optimizers, too. */
const RULES = 'adam,adamw,sgd,adagrad,rmsprop';
/** From what a cache holds to 400 MB an array, far more than any. */
const SIZES = '1e4,1e5,1e6,1e7,1e8,1000x1e3';
const QUICK_SIZES = '1e4,1e6';
const PEERS = 'ours,ours-arena,hand,naive,limit,copy';
const QUICK_PEERS = 'ours,limit,copy';

/** Reads the command line. */
export function readGpuOptions(argv: readonly string[]): GpuOptions {
  const given = createCommand('bash run.sh')
    .description(
      'Measures this GPU: arithmetic, parity of all rules, steps against PyTorch. See bench/README.md.',
    )
    .option('--out <folder>', 'where the folder of this GPU goes', 'results')
    .option('--quick', `a first impression: ${QUICK_SIZES}, few steps and peers`)
    .option('--sizes <list>', `cases of the benchmark (default: ${SIZES})`)
    .option('--rules <list>', `rules of the benchmark (default: ${RULES}) and of parity (default: all)`)
    .option('--rounds <n>', 'rounds that count')
    .option('--seed <n>', 'repeats values and the order of a run')
    .option('--python <command>', 'a Python with PyTorch', 'python3')
    .addOption(
      new Option('--skip <list>', `parts to leave out, of ${PARTS.join(', ')}`)
        .argParser(listOf(PARTS))
        .default([], 'none'),
    )
    .parse(argv)
    .opts<{
      out: string;
      quick?: true;
      sizes?: string;
      rules?: string;
      rounds?: string;
      seed?: string;
      python: string;
      skip: SessionPart[];
    }>();
  const { out, quick = false, skip, python, rules } = given;
  const bench = {
    runtime: 'node',
    adapter: 'default',
    sizes: given.sizes ?? (quick ? QUICK_SIZES : SIZES),
    rules: rules ?? RULES,
    peers: quick ? QUICK_PEERS : PEERS,
    rounds: given.rounds,
    seed: given.seed,
  };
  const benchArguments = Object.entries(bench).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name}`, value],
  );
  return {
    out,
    quick,
    skip,
    python,
    parityRules: rules?.split(','),
    bench: readOptions([...argv.slice(0, 2), ...benchArguments, ...(quick ? ['--quick'] : [])]),
  };
}
