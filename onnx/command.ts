#!/usr/bin/env node
/**
 * `webgpu-optim-onnx`: makes the training graphs of `webgpu-optim/onnxruntime` out of an inference model, and puts trained weights
 * back into it.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { InvalidArgumentError, Option } from 'commander';
import type { onnx } from 'onnx-proto';
import { createRandom } from '../lab/random.js';
import { UsageError, createCommand, runCommand } from '../scripts/terminal/command-line.js';
import { type LossName, lossNames, losses } from './losses/registry.js';
import { makeMlp } from './mlp.js';
import { putCommand } from './put-command.js';
import { readBytes } from './read-file.js';
import { readModel } from './read-model.js';
import type { ValueType } from './tensor.js';
import { makeTrainingModels } from './training-graph.js';

const NAME = 'webgpu-optim-onnx';

interface Options {
  readonly batch?: number;
  readonly axes?: Readonly<Record<string, number>>;
  readonly mlp?: readonly number[];
  readonly seed: number;
  readonly weights?: readonly string[];
  readonly output?: string;
  readonly loss?: LossName;
  readonly labelType?: ValueType;
  readonly labels?: string;
  readonly rowWeights?: string;
  readonly lossName?: string;
  readonly out: string;
}

const LOSSES = [
  ...Object.entries(losses).map(([name, { summary }]) => `  ${name}: ${summary}.`),
  '  output: the output is the loss already, a single number; labels are inputs of the model, if it has any.',
];
const HELP = `
Losses:
${LOSSES.join('\n')}

Examples:
  ${NAME} model.onnx --batch 64 --out public
  ${NAME} --mlp 784,128,10 --batch 64
  ${NAME} put model.onnx trained.safetensors --out trained.onnx`;

const command = createCommand(NAME)
  .enablePositionalOptions()
  .description(
    'Makes what OnnxTrainer needs of an inference model:\n' +
      '  training.onnx  the model, a loss and the backward pass, in plain ONNX operators\n' +
      '  forward.onnx   the model, with its weights as inputs\n' +
      '  initial.onnx   the weights to begin with',
  )
  .argument('[model]', 'an ONNX file of opset 7 or later, its data inside')
  .option(
    '--batch <rows>',
    "rows of a batch: the first axis of the model's inputs, open or not; needed unless --axes has it",
    wholeNumber,
  )
  .option(
    '--axes <sizes>',
    'sizes of other axes that the inputs leave open: sequence=128,width=32',
    axisSizes,
  )
  .option('--mlp <widths>', 'no file, but a multilayer perceptron with layers of these widths', layerWidths)
  .option('--seed <number>', "seed of the perceptron's weights", wholeNumber, 1)
  .option(
    '--weights <names>',
    'initializers to train; default: all of float32 with more than one element',
    (text) => text.split(','),
  )
  .option(
    '--output <name>',
    "the model's output that the loss is of, or another value in it, as the scores in front of a softmax; default: the first output",
  )
  .addOption(new Option('--loss <name>', 'what is made small; default: cross-entropy').choices(lossNames))
  .option('--label-type <type>', 'float32 or int64, of labels; default: float32')
  .option('--labels <name>', 'name of the input for the labels; default: labels')
  .option(
    '--row-weights <name>',
    'name of an input that weighs the rows of a batch: 0 where they are missing',
  )
  .option('--loss-name <name>', 'name of the output for the loss; default: loss')
  .option('--out <folder>', 'where to write', '.')
  .addHelpText('after', HELP)
  .action(async (file: string | undefined, options: Options) => {
    const { mlp: _, seed: __, out, ...others } = options;
    rejectOverwriting(file, out);
    const models = makeTrainingModels(await findModel(file, options), others);
    await mkdir(out, { recursive: true });
    for (const [name, bytes] of Object.entries(models)) {
      const path = join(out, `${name}.onnx`);
      await writeFile(path, bytes);
      console.log(`${path}: ${bytes.length} bytes`);
    }
  });

command.addCommand(putCommand());

await runCommand(NAME, async () => void (await command.parseAsync()));

/** @throws UsageError if a file that is written would replace the model. */
function rejectOverwriting(file: string | undefined, out: string): void {
  if (file === undefined) return;
  const written = ['training', 'forward', 'initial'].map((name) => resolve(out, `${name}.onnx`));
  if (!written.includes(resolve(file))) return;
  throw new UsageError(`"${file}" would be replaced by what is written; choose another folder with --out.`);
}

async function findModel(file: string | undefined, { mlp, seed }: Options): Promise<onnx.IModelProto> {
  if (file === undefined && mlp === undefined) {
    throw new UsageError(
      'No model is given; name an ONNX file, or describe a perceptron with --mlp 784,128,10.',
    );
  }
  if (file === undefined) return makeMlp(mlp!, createRandom(seed));
  if (mlp) throw new UsageError(`"${file}" and --mlp are given; give one of them.`);
  return readModel(file, await readBytes(file, 'an ONNX file'));
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1) return value;
  throw new InvalidArgumentError('Give an integer ≥ 1.');
}

function axisSizes(text: string): Record<string, number> {
  const pairs = text.split(',').map((pair) => pair.split('='));
  if (pairs.some(({ length }) => length !== 2)) {
    throw new InvalidArgumentError('Give names and sizes: sequence=128,width=32.');
  }
  const twice = pairs.find(([name], k) => pairs.findIndex(([other]) => other === name) < k);
  if (twice) throw new InvalidArgumentError(`"${twice[0]}" has two sizes; give one.`);
  return Object.fromEntries(pairs.map(([name, size]) => [name!, wholeNumber(size!)]));
}

function layerWidths(text: string): number[] {
  const widths = text.split(',').map(wholeNumber);
  if (widths.length >= 2) return widths;
  throw new InvalidArgumentError('Give two widths or more, from the inputs to the outputs: 784,128,10.');
}
