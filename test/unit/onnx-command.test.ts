/** `webgpu-optim-onnx`, as the package ships it: built, and run where there are no other packages. */
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import onnxProto from 'onnx-proto';
import { build } from 'vite';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createRandom } from '../../lab/random.js';
import { makeMlp } from '../../onnx/mlp.js';
import { encode } from '../../onnx/training-graph.js';
import { MANIFEST, nameOfTensor } from '../../src/checkpoint/manifest.js';
import { writeSafetensors } from '../../src/safetensors/index.js';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'webgpu-optim-onnx-'));
  await build({ configFile: 'onnx/vite.config.ts', logLevel: 'error', build: { outDir: folder } });
});

afterAll(() => rm(folder, { recursive: true }));

function run(...args: string[]) {
  return spawnSync(process.execPath, [join(folder, 'command.js'), ...args], {
    cwd: folder,
    encoding: 'utf8',
  });
}

async function read(name: string) {
  const { graph } = onnxProto.onnx.ModelProto.decode(await readFile(join(folder, name)));
  const namesOf = (values: readonly { name?: string | null }[]) => values.map((value) => value.name);
  return { inputs: namesOf(graph!.input!), outputs: namesOf(graph!.output!) };
}

test('a model and a perceptron of the same weights give the same three files, byte for byte', async () => {
  await writeFile(join(folder, 'model.onnx'), encode(makeMlp([6, 5, 3], createRandom(7))));
  const given = run('model.onnx', '--batch', '4', '--out', 'given');
  expect(given.stderr).toBe('');
  expect(given.stdout.split('\n').map((line) => line.split(':')[0])).toEqual([
    'given/training.onnx',
    'given/forward.onnx',
    'given/initial.onnx',
    '',
  ]);
  expect(run('--mlp', '6,5,3', '--seed', '7', '--batch', '4', '--out', 'made').status).toBe(0);
  for (const name of ['training', 'forward', 'initial']) {
    const [a, b] = [`given/${name}.onnx`, `made/${name}.onnx`].map((file) => readFile(join(folder, file)));
    expect(Buffer.compare(await a!, await b!)).toBe(0);
  }
  const weights = ['w1', 'b1', 'w2', 'b2'];
  expect(await read('given/training.onnx')).toEqual({
    inputs: ['x', ...weights, 'labels'],
    outputs: ['loss', ...weights.map((name) => `${name}_grad`)],
  });
  expect(await read('given/forward.onnx')).toEqual({ inputs: ['x', ...weights], outputs: ['scores'] });
  expect(await read('given/initial.onnx')).toEqual({ inputs: [], outputs: weights });
});

test('a model is not replaced by what is made of it', async () => {
  const bytes = encode(makeMlp([6, 5, 3], createRandom(7)));
  await writeFile(join(folder, 'forward.onnx'), bytes);
  const { stderr, status } = run('forward.onnx', '--batch', '4');
  expect(stderr).toContain(
    '"forward.onnx" would be replaced by what is written; choose another folder with --out.',
  );
  expect(status).toBe(2);
  expect(Buffer.compare(await readFile(join(folder, 'forward.onnx')), bytes)).toBe(0);
});

test('only the weights that are named are trained', async () => {
  expect(run('--mlp', '6,5,3', '--batch', '4', '--weights', 'w2', '--out', 'part').status).toBe(0);
  expect(await read('part/initial.onnx')).toEqual({ inputs: [], outputs: ['w2'] });
});

test('the loss, the labels and their names are chosen', () => {
  const of = (...args: string[]) => run('--mlp', '6,5,3', '--batch', '4', '--weights', 'w2', ...args);
  const named = [
    '--labels',
    'targets',
    '--row-weights',
    'shares',
    '--loss-name',
    'error',
    '--output',
    'scores',
  ];
  expect(of('--loss', 'mse', ...named, '--out', 'mse').status).toBe(0);
  expect(of('--label-type', 'int64', '--out', 'classes').status).toBe(0);
  const inputs = ['x', 'w2'];
  return Promise.all([
    expect(read('mse/training.onnx')).resolves.toEqual({
      inputs: [...inputs, 'targets', 'shares'],
      outputs: ['error', 'w2_grad'],
    }),
    expect(read('classes/training.onnx')).resolves.toEqual({
      inputs: [...inputs, 'labels'],
      outputs: ['loss', 'w2_grad'],
    }),
  ]);
});

test('weights of a checkpoint, or of tensors by their names, are put into the model', async () => {
  const [given, wanted] = [7, 8].map((seed) => makeMlp([6, 5, 3], createRandom(seed)));
  await writeFile(join(folder, 'untrained.onnx'), encode(given!));
  const tensors = (nameOf: (name: string) => string) =>
    wanted!.graph!.initializer!.map(({ name, dims, rawData }) => ({
      name: nameOf(name!),
      dtype: 'F32' as const,
      shape: dims!.map(Number),
      data: rawData!,
    }));
  // An optimizer has forgotten the shapes of what it trains.
  const flat = <T extends { shape: number[] }>(tensor: T): T => ({
    ...tensor,
    shape: [tensor.shape.reduce((product, size) => product * size, 1)],
  });
  // State is no weight, whatever it is called.
  const state = { name: 'state.w1.exp_avg', dtype: 'F16' as const, shape: [0], data: new Uint8Array() };
  const files = {
    checkpoint: [[...tensors(nameOfTensor).map(flat), state], { [MANIFEST]: '{}' }],
    plain: [tensors((name) => name), {}],
  } as const;
  for (const [name, [list, metadata]] of Object.entries(files)) {
    await writeFile(join(folder, `${name}.safetensors`), await writeSafetensors('bytes', list, metadata));
    const { stdout, stderr } = run('put', 'untrained.onnx', `${name}.safetensors`, '--out', `${name}.onnx`);
    expect(stderr).toBe('');
    expect(stdout).toMatch(
      new RegExp(`^${name}\\.onnx: \\d+ bytes, 4 tensors from "${name}\\.safetensors"\n$`),
    );
    expect(Buffer.compare(await readFile(join(folder, `${name}.onnx`)), encode(wanted!))).toBe(0);
  }
  const odd = [{ ...state, name: 'w1' }];
  await writeFile(join(folder, 'odd.safetensors'), await writeSafetensors('bytes', odd));
  const turned = tensors((name) => name).map((tensor) => ({ ...tensor, shape: tensor.shape.toReversed() }));
  await writeFile(join(folder, 'turned.safetensors'), await writeSafetensors('bytes', turned));
  await writeFile(join(folder, 'cut.onnx'), encode(given!).subarray(0, -20));
  for (const [args, message] of [
    [['none.onnx', 'plain.safetensors'], '"none.onnx" does not exist; give the path of an ONNX file.'],
    [['cut.onnx', 'plain.safetensors'], '"cut.onnx" (502 bytes) is cut short'],
    [['untrained.onnx', 'none'], '"none" does not exist; give the path of a file of safetensors.'],
    [['untrained.onnx', 'cut.onnx'], '"cut.onnx": The file begins with a header of'],
    [
      ['untrained.onnx', 'odd.safetensors'],
      'Tensor "w1" of "odd.safetensors" is of F16; weights are of F32.',
    ],
    [
      ['untrained.onnx', 'turned.safetensors'],
      'Tensor "w1" of "turned.safetensors" has shape [5, 6], and the model\'s has [6, 5]; transpose or reshape it.',
    ],
  ] as const) {
    const { stderr, status } = run('put', ...args, '--out', 'refused.onnx');
    expect(status).toBe(1);
    expect(stderr).toContain(`webgpu-optim-onnx: ${message}`);
  }
  expect(run('put', 'untrained.onnx', 'plain.safetensors').stderr).toContain(
    "required option '--out <file>'",
  );
});

test.each([
  [[], /^error: No model is given; name an ONNX file/],
  [['--mlp', '2,2'], /The first axis of input "x" is the batch; say with --batch <rows> how long it is/],
  [
    ['--mlp', '2,2', '--batch', '4', '--axes', 'batch=4'],
    /The batch is 4, but no input has a first axis that has no size by name, so that it has no effect; leave it out, or/,
  ],
  [['--batch', '4'], /^error: No model is given; name an ONNX file/],
  [['none.onnx', '--batch', '4'], /^webgpu-optim-onnx: "none\.onnx" does not exist; give the path/],
  [['.', '--batch', '4'], /^webgpu-optim-onnx: "\." is a folder; give the path/],
  [['command.js', '--batch', '4'], /^webgpu-optim-onnx: "command\.js" is no ONNX file/],
  [['empty.onnx', '--batch', '4'], /^webgpu-optim-onnx: "empty\.onnx" is empty; give a file/],
  [
    ['empty.onnx', '--mlp', '2,2', '--batch', '4'],
    /^error: "empty\.onnx" and --mlp are given; give one of them/,
  ],
  [['--mlp', '2', '--batch', '4'], /'--mlp <widths>' argument '2' is invalid\. Give two widths or more/],
  [['--mlp', '2,2', '--batch', 'x'], /'--batch <rows>' argument 'x' is invalid\. Give an integer ≥ 1/],
  [
    ['--mlp', '2,2', '--batch', '4', '--axes', 'rows'],
    /'rows' is invalid\. Give names and sizes: sequence=128/,
  ],
  [
    ['--mlp', '2,2', '--batch', '4', '--axes', 'n=2,m=3,n=4'],
    /'n=2,m=3,n=4' is invalid\. "n" has two sizes; give one/,
  ],
  [['--mlp', '2,2', '--batch', '4', '--axes', 'n=x'], /'n=x' is invalid\. Give an integer ≥ 1/],
  [
    ['--mlp', '2,2', '--batch', '4', '--axes', 'n=2'],
    /No input has an open axis "n"; of names there are batch/,
  ],
  [
    ['--mlp', '2,2', '--batch', '4', '--loss', 'l1'],
    /'l1' is invalid\. Allowed choices are cross-entropy, mse, bce/,
  ],
  [
    ['--mlp', '2,2', '--batch', '4', '--loss', 'mse', '--label-type', 'int64'],
    /Labels of type "int64" are no labels of the loss "mse"; it takes float32/,
  ],
  [
    ['--mlp', '2,1', '--batch', '4'],
    /"scores" have shape \[4, 1\], so there is one class and nothing to learn/,
  ],
  [['--mlp', '2,2', '--batch', '4', '--weights', 'w9'], /no initializer "w9"; it has w1, b1/],
])('%j is refused in plain words, without a stack', async (args, message) => {
  await writeFile(join(folder, 'empty.onnx'), '');
  const { status, stderr, stdout } = run(...args);
  // A mistake in the command line, or something else that is wrong.
  expect(status).toBe(stderr.startsWith('error: ') ? 2 : 1);
  expect(stderr).toMatch(message);
  expect(stderr).not.toContain('    at ');
  expect(stdout).toBe('');
});
