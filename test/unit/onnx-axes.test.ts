/** Batches and other axes of models that leave them open, or fix them; and what is no model. */
import onnxProto from 'onnx-proto';
import type { onnx } from 'onnx-proto';
import { expect, inject, test } from 'vitest';
import { f16 } from '../../src/codecs/f16.js';
import { bitDifference } from '../../proof/compare.js';
import { Random } from '../../proof/random.js';
import { createRandom } from '../../lab/random.js';
import { makeMlp } from '../../onnx/mlp.js';
import { readModel } from '../../onnx/read-model.js';
import { floatTensor, floatValue, integerTensor } from '../../onnx/tensor.js';
import { type TrainingGraphOptions, encode, makeTrainingModels } from '../../onnx/training-graph.js';
import { type Feeds, type Weights, withCpuModel } from '../support/onnx-run.js';

const seed = inject('seed');
const { DataType } = onnxProto.onnx.TensorProto;

const numbers = (random: Random, length: number): Float32Array<ArrayBuffer> =>
  Float32Array.from({ length }, () => random.uniform() - 0.5);

/** x [rows, 3, 4], in other shapes on its way, times w [12, 2]. */
function reshapingModel(rows: number | string, ...targets: (readonly number[])[]): onnx.IModelProto {
  const w = numbers(new Random(seed), 24);
  const product = { opType: 'MatMul', input: [`v${targets.length - 1}`, 'w'], output: ['scores'] };
  return {
    irVersion: 8,
    opsetImport: [{ domain: '', version: 13 }],
    graph: {
      name: 'reshaping',
      input: [floatValue('x', [rows, 3, 4])],
      initializer: [
        floatTensor('w', { dims: [12, 2], data: w }),
        ...targets.map((target, k) => integerTensor(`shape${k}`, target)),
      ],
      node: [
        ...targets.map((_, k) => ({
          name: `reshape ${k}`,
          opType: 'Reshape',
          input: [k === 0 ? 'x' : `v${k - 1}`, `shape${k}`],
          output: [`v${k}`],
        })),
        product,
      ],
      output: [floatValue('scores', [rows, 2])],
      // Not what it is: shapes of known operators do not depend on it.
      valueInfo: [floatValue('v0', [rows, 12])],
    },
  };
}

const run = async (model: Uint8Array<ArrayBuffer>, feeds: Feeds): Promise<Weights> =>
  await withCpuModel(model, async (call) => await call(feeds));

function expectSame(a: Weights, b: Weights): void {
  expect(Object.keys(a)).toEqual(Object.keys(b));
  for (const [name, { dims, data }] of Object.entries(a)) {
    expect(dims).toEqual(b[name]!.dims);
    expect(bitDifference(data, b[name]!.data), name).toBeUndefined();
  }
}

test.for<[string, number, ...number[][]]>([
  ['by -1', 1, [-1, 12]],
  ['by its size', 1, [1, 12]],
  ['by its size, several times', 1, [1, 4, 3], [1, -1]],
  ['of several rows', 2, [2, -1], [0, 3, 4], [2, 12]],
  ['with an axis that is copied', 1, [1, 0, -1], [1, 12]],
])('a batch that is fixed becomes another: %s', async ([, rows, ...targets]) => {
  const random = new Random(seed);
  const options: TrainingGraphOptions = { batch: 5, loss: 'mse' };
  const fixed = makeTrainingModels(reshapingModel(rows, ...targets), options);
  const open = makeTrainingModels(reshapingModel('n', [-1, 12]), options);
  const w = { dims: [12, 2], data: numbers(random, 24) };
  const x = (count: number): Feeds => ({
    x: { dims: [count, 3, 4], data: numbers(new Random(count), count * 12) },
  });
  const feeds = { ...x(5), w, labels: { dims: [5, 2], data: numbers(random, 10) } };
  expectSame(await run(fixed.training, feeds), await run(open.training, feeds));
  // The forward model takes any number of rows.
  for (const count of [1, 3]) {
    expectSame(await run(fixed.forward, { ...x(count), w }), await run(open.forward, { ...x(count), w }));
  }
});

test('shapes that reshapes have by nodes are adapted as those in initializers', () => {
  const list = (output: string, ...ints: number[]): onnx.INodeProto => ({
    opType: 'Constant',
    output: [output],
    attribute: [{ name: 'value_ints', type: 7, ints }],
  });
  const concat = {
    opType: 'Concat',
    input: ['one', 'rest'],
    output: ['shape0'],
    attribute: [{ name: 'axis', type: 2, i: 0 }],
  };
  for (const nodes of [[list('shape0', 1, -1)], [list('one', 1), list('rest', 3, 4), concat]]) {
    const model = reshapingModel(1, [1, -1], [1, 12]);
    const { node, initializer } = model.graph!;
    initializer!.splice(1, 1);
    node!.unshift(...nodes);
    const { training } = makeTrainingModels(model, { batch: 5 });
    const { graph } = onnxProto.onnx.ModelProto.decode(training);
    expect(graph!.output!.map(({ name }) => name)).toEqual(['loss', 'w_grad']);
  }
});

test('a bias that is written as one row stays one, and what only a branch reads stays there', () => {
  const model = reshapingModel(1, [1, 12]);
  const { node, initializer } = model.graph!;
  initializer!.push(
    floatTensor('bias', { dims: [2], data: Float32Array.of(1, 2) }),
    floatTensor('inner', { dims: [1], data: Float32Array.of(1) }),
    integerTensor('row', [1, 2]),
  );
  const branch = {
    node: [{ opType: 'Identity', input: ['inner'], output: ['given'] }],
    output: [floatValue('given', [1])],
  };
  node!.splice(
    -1,
    1,
    { opType: 'MatMul', input: ['v0', 'w'], output: ['product'] },
    { opType: 'Reshape', input: ['bias', 'row'], output: ['bias row'] },
    { opType: 'If', output: ['unused'], attribute: [{ name: 'then_branch', type: 5, g: branch }] },
    { opType: 'Add', input: ['product', 'bias row'], output: ['scores'] },
  );
  const { forward } = makeTrainingModels(model, { batch: 5, weights: ['w', 'bias'] });
  const names = onnxProto.onnx.ModelProto.decode(forward).graph!.initializer!.map(({ name }) => name);
  expect(names).toEqual(['inner', 'row', 'shape0/of_batch_0']);
});

test('a batch of the size that is fixed changes nothing', () => {
  const { forward } = makeTrainingModels(reshapingModel(2, [2, 12]), { batch: 2 });
  const { graph } = onnxProto.onnx.ModelProto.decode(forward);
  expect(graph!.input![0]!.type!.tensorType!.shape!.dim!.map(({ dimValue }) => Number(dimValue))).toEqual([
    2, 3, 4,
  ]);
});

/** x [n, steps, 3] + b [steps, 3]; a mask has other axes. */
function sequenceModel(...mask: (string | number)[]): onnx.IModelProto {
  return {
    irVersion: 8,
    opsetImport: [{ domain: '', version: 13 }],
    graph: {
      name: 'sequences',
      input: [floatValue('x', ['n', 'steps', 3]), floatValue('mask', mask)],
      initializer: [floatTensor('b', { dims: [4, 3], data: new Float32Array(12) })],
      node: [
        { opType: 'Mul', input: ['x', 'mask'], output: ['masked'] },
        { opType: 'Add', input: ['masked', 'b'], output: ['scores'] },
      ],
      output: [floatValue('scores', ['n', 'steps', 3])],
    },
  };
}

test('other open axes have the sizes that are given', () => {
  const { training } = makeTrainingModels(sequenceModel(1, 'steps', 'n'), { batch: 3, axes: { steps: 4 } });
  const { graph } = onnxProto.onnx.ModelProto.decode(training);
  const shapes = graph!.input!.map(({ name, type }) => [
    name,
    ...type!.tensorType!.shape!.dim!.map(({ dimValue }) => Number(dimValue)),
  ]);
  expect(shapes).toEqual([
    ['x', 3, 4, 3],
    ['mask', 1, 4, 3],
    ['b', 4, 3],
    ['labels', 3, 4, 3],
  ]);
});

test('the batch may be another axis, which has its size by name', () => {
  const options: TrainingGraphOptions = { axes: { n: 5, steps: 4 }, loss: 'mse' };
  const { training } = makeTrainingModels(sequenceModel('steps', 3), options);
  const { graph } = onnxProto.onnx.ModelProto.decode(training);
  const labels = graph!.input!.find(({ name }) => name === 'labels');
  expect(labels!.type!.tensorType!.shape!.dim!.map(({ dimValue }) => Number(dimValue))).toEqual([5, 4, 3]);
});

const batch = 8;
test.for<[string, () => unknown]>([
  ['The size of "batch" is 0; give', () => makeTrainingModels(reshapingModel('n', [-1, 12]), { batch: 0 })],
  [
    'The size of "n" is 1.5; give',
    () => makeTrainingModels(reshapingModel('n', [-1, 12]), { batch, axes: { n: 1.5 } }),
  ],
  [
    'for batches of 1, and cannot have 8: Reshape "reshape 0" from [8, 3, 4] to [3, 32] mixes rows. Take --batch 1, or',
    () => makeTrainingModels(reshapingModel(1, [3, -1], [-1, 12]), { batch }),
  ],
  [
    'for batches of 1, and cannot have 8: Node "reshape 0" (Reshape): shape [8, 3, 4] cannot become [12]',
    () => makeTrainingModels(reshapingModel(1, [12], [1, 12]), { batch }),
  ],
  [
    'for batches of 2, and cannot have 5: Node "reshape 0" (Reshape): shape [5, 3, 4] cannot become [6, 4]',
    () => makeTrainingModels(reshapingModel(2, [6, 4], [2, 12]), { batch: 5 }),
  ],
  [
    'The batch is 8, but no input has a first axis that has no size by name, so that it has no effect; leave it out',
    () => makeTrainingModels(sequenceModel('n', 1), { batch, axes: { n: 8, steps: 4 } }),
  ],
  [
    'The first axis of input "x" is the batch; say with --batch <rows> how long it is.',
    () => makeTrainingModels(sequenceModel('n', 1), { axes: { steps: 4 } }),
  ],
  [
    'Input "x" leaves its axis "steps" open; say with --axes steps=<size> how long it is',
    () => makeTrainingModels(sequenceModel(4, 3), { batch: 2 }),
  ],
  [
    'Input "mask" leaves axis 1 open, without a name; export the model',
    () => makeTrainingModels(sequenceModel(1, ''), { batch: 2, axes: { steps: 4 } }),
  ],
  [
    'No input has an open axis "length"; of names there are n, steps',
    () => makeTrainingModels(sequenceModel(1, 3), { batch: 2, axes: { steps: 4, length: 4 } }),
  ],
])('refused: %s', ([message, call]) => {
  expect(call).toThrow(message);
});

test('what rows have in common is refused where they depend on it; the mean of their losses is none of that', () => {
  const model = reshapingModel(1, [1, 12]);
  const { node, output } = model.graph!;
  const reduced = (input: string, result: string, ...axes: number[]): onnx.INodeProto => ({
    opType: 'ReduceMean',
    input: [input],
    output: [result],
    attribute: [{ name: 'axes', type: 7, ints: axes }],
  });
  node!.splice(1, 0, reduced('v0', 'mean', 0), {
    opType: 'Sub',
    input: ['v0', 'mean'],
    output: ['centered'],
  });
  node!.at(-1)!.input![0] = 'centered';
  expect(() => makeTrainingModels(model, { batch })).toThrow(
    'for batches of 1, and cannot have 8: The ReduceMean that gives "mean" mixes rows. Take --batch 1, or',
  );
  node!.splice(1, 2);
  node!.at(-1)!.input![0] = 'v0';
  node!.push(reduced('scores', 'means', 0), reduced('means', 'error', 1), {
    opType: 'Squeeze',
    input: ['error'],
    output: ['loss'],
  });
  output![0] = floatValue('loss', []);
  const { training } = makeTrainingModels(model, { batch, loss: 'output' });
  expect(onnxProto.onnx.ModelProto.decode(training).graph!.output!.length).toBe(2);
});

test('a frozen base may be of any kind, if its results are declared', async () => {
  const model = reshapingModel(1, [1, 3, 4], [1, 12]);
  const { node, valueInfo } = model.graph!;
  // Its shape is that of its input, whatever the batch is; this operator has no place in onnx/operators.
  node![0] = { name: 'strange', opType: 'Selu', input: ['x'], output: ['v0'] };
  expect(() =>
    makeTrainingModels({ ...model, graph: { ...model.graph!, valueInfo: [] } }, { batch }),
  ).toThrow(
    /^The MatMul that gives "scores": The shape of "v1" is not known\. Node "strange" \(Selu\) is of a kind that training does not know/,
  );
  valueInfo![0] = floatValue('v0', [1, 3, 4]);
  const { training } = makeTrainingModels(model, { batch: 2, loss: 'mse' });
  const feeds = {
    x: { dims: [2, 3, 4], data: new Float32Array(24) },
    w: { dims: [12, 2], data: new Float32Array(24) },
    labels: { dims: [2, 2], data: new Float32Array(4).fill(2) },
  };
  expect((await run(training, feeds))['loss']!.data[0]).toBe(4);
});

test('what is wrong with a model of a fixed batch is said as of another', () => {
  const model = reshapingModel(1, [1, 12]);
  model.opsetImport = [{ domain: '', version: 6 }];
  expect(() => makeTrainingModels(model, { batch })).toThrow(/^The model is of opset 6; export it with 7/);
});

test('first axes that are fixed at several sizes are refused', () => {
  const model = sequenceModel(1, 3);
  model.graph!.input![0] = floatValue('x', [2, 4, 3]);
  expect(() => makeTrainingModels(model, { batch })).toThrow(
    'The first axes of the inputs are fixed, at 2 for "x", 1 for "mask"; none is the batch of 8.',
  );
});

test('an output that does not follow the batch is refused', () => {
  const model = sequenceModel(1, 4, 3);
  model.graph!.input![0] = floatValue('x', [1, 4, 3]);
  model.graph!.node![0] = { opType: 'Identity', input: ['b'], output: ['masked'] };
  expect(() => makeTrainingModels(model, { batch })).toThrow(
    'for batches of 1, and cannot have 8: The output "scores" is [4, 3] whatever the batch is.',
  );
});

test('a model of float16 is trained in float32, from the same numbers', async () => {
  const model = makeMlp([6, 5, 3], createRandom(7));
  const halved = structuredClone(model);
  for (const [k, tensor] of halved.graph!.initializer!.entries()) {
    const values = new Float32Array(new Uint8Array(tensor.rawData!).buffer);
    const bits = new Uint16Array(f16.encode(values).buffer, 0, values.length);
    const rounded = f16.decode(f16.encode(values).buffer, values.length);
    model.graph!.initializer![k]!.rawData = new Uint8Array(rounded.buffer);
    const data = k % 2 === 0 ? { rawData: new Uint8Array(bits.slice().buffer) } : { int32Data: [...bits] };
    halved.graph!.initializer![k] = {
      name: tensor.name!,
      dims: tensor.dims!,
      dataType: DataType.FLOAT16,
      ...data,
    };
  }
  for (const { type } of [...halved.graph!.input!, ...halved.graph!.output!]) {
    type!.tensorType!.elemType = DataType.FLOAT16;
  }
  // As exporters write it for a model that takes float32.
  const cast = {
    opType: 'Cast',
    input: ['scores'],
    output: ['cast'],
    attribute: [{ name: 'to', type: 2, i: 10 }],
  };
  halved.graph!.node!.push(cast);
  halved.graph!.output!.push(floatValue('cast', ['batch', 3]));
  const [given, wanted] = [halved, model].map((one) => makeTrainingModels(one, { batch: 4 }));
  const weights = await run(given!.initial, {});
  expectSame(weights, await run(wanted!.initial, {}));
  const random = new Random(seed);
  const x = { dims: [4, 6], data: numbers(random, 24) };
  const feeds = { x, ...weights, labels: { dims: [4, 3], data: numbers(random, 12) } };
  expectSame(await run(given!.training, feeds), await run(wanted!.training, feeds));
  const { cast: scores } = await run(given!.forward, { x, ...weights });
  expectSame({ scores: scores! }, await run(wanted!.forward, { x, ...weights }));
});

test('a model with nothing to train is refused', () => {
  const model = reshapingModel('n', [-1, 12]);
  model.graph!.initializer![0]!.dataType = DataType.DOUBLE;
  expect(() => makeTrainingModels(model, { batch })).toThrow('no initializers of float32 or float16');
});

const whole = encode(makeMlp([6, 5, 3], createRandom(7)));
test.for<[string, Uint8Array]>([
  ['"a.onnx" is empty; give a file that an exporter has written.', new Uint8Array()],
  [
    '"a.onnx" is no ONNX file; give one that an exporter has written.',
    new TextEncoder().encode('{"graph": 1}'),
  ],
  [
    '"a.onnx" is no ONNX file; give',
    new TextEncoder().encode('version https://git-lfs.github.com/spec/v1\n'),
  ],
  [`"a.onnx" (${whole.length - 20} bytes) is cut short; copy or export it again.`, whole.subarray(0, -20)],
  ['"a.onnx" (100 bytes) is cut short', whole.subarray(0, 100)],
  ['"a.onnx" holds no ONNX model; give', whole.subarray(0, 2)],
  [
    '"a.onnx" names no opset, so it is cut short',
    encode({ graph: onnxProto.onnx.ModelProto.decode(whole).graph!, irVersion: 8 }),
  ],
])('refused: %s', ([message, bytes]) => {
  expect(() => readModel('a.onnx', bytes)).toThrow(message);
});
