/** The losses that onnx/ appends, against float64 and its differences. */
import type { onnx } from 'onnx-proto';
import { describe, expect, inject, test } from 'vitest';
import { Graph } from '../../onnx/graph.js';
import { type LossOptions, appendLoss } from '../../onnx/losses/registry.js';
import { type Shape, elementCount, floatTensor, floatValue, valueOf } from '../../onnx/tensor.js';
import { encode, makeTrainingModels } from '../../onnx/training-graph.js';
import { Random } from '../../proof/random.js';
import { type Feeds, type Weights, withCpuModel } from '../support/onnx-run.js';

const seed = inject('seed');

/** A model whose output is its input. */
function modelOf(shape: Shape): onnx.IModelProto {
  return {
    irVersion: 8,
    opsetImport: [{ domain: '', version: 13 }],
    graph: { name: 'scores', input: [floatValue('scores', shape)], output: [floatValue('scores', shape)] },
  };
}

/** The loss of scores that are an input, and its gradient. */
function lossModel(shape: Shape, options: LossOptions): Uint8Array<ArrayBuffer> {
  const model = modelOf(shape);
  const graph = new Graph(model, 1);
  const { loss, gradient } = appendLoss(graph, 'scores', options);
  graph.add('Identity', [gradient], {}, 'gradient');
  model.graph!.output = [floatValue(loss, []), floatValue('gradient', shape)];
  return encode(model);
}

const runLoss = async (shape: Shape, options: LossOptions, feeds: Feeds): Promise<Weights> =>
  await withCpuModel(lossModel(shape, options), async (run) => await run(feeds));

/** Term i of a loss of `scores`, in float64; `width` is the last axis. */
type Term = (scores: readonly number[], labels: readonly number[], i: number, width: number) => number;

const crossEntropyTerm =
  (labelOf: (labels: readonly number[], row: number, k: number, width: number) => number): Term =>
  (scores, labels, row, width) => {
    const own = scores.slice(row * width, (row + 1) * width);
    const largest = Math.max(...own);
    const total = own.reduce((sum, score) => sum + Math.exp(score - largest), 0);
    return own.reduce(
      (sum, score, k) => sum - labelOf(labels, row, k, width) * (score - largest - Math.log(total)),
      0,
    );
  };

/** Each loss and type of labels, as written in books. */
const definitions: Record<string, { options: LossOptions; term: Term; isByRows: boolean }> = {
  'cross-entropy of probabilities': {
    options: {},
    term: crossEntropyTerm((labels, row, k, width) => labels[row * width + k]!),
    isByRows: true,
  },
  'cross-entropy of classes': {
    options: { loss: 'cross-entropy', labelType: 'int64' },
    term: crossEntropyTerm((labels, row, k) => (labels[row] === k ? 1 : 0)),
    isByRows: true,
  },
  mse: { options: { loss: 'mse' }, term: (y, t, i) => (y[i]! - t[i]!) ** 2, isByRows: false },
  bce: {
    options: { loss: 'bce' },
    term: (x, t, i) => {
      // log σ(x) = −log1p(exp(−x)), and log(1 − σ(x)) = log σ(−x).
      const logSigmoid = (score: number): number =>
        Math.min(score, 0) - Math.log1p(Math.exp(-Math.abs(score)));
      return -t[i]! * logSigmoid(x[i]!) - (1 - t[i]!) * logSigmoid(-x[i]!);
    },
    isByRows: false,
  },
};

/**
 * A result follows from at most 64 roundings of half an ULP, a function counted as 8 of them, of numbers below `largest`: no
 * test has more than 30 elements. Differences of float64, with a step of 1e-5 and third derivatives below 2, are far better.
 */
const boundOf = (largest: number): number => 64 * largest * 2 ** -24;
const STEP = 1e-5;

describe.for(Object.entries(definitions))('%s', ([, { options, term, isByRows }]) => {
  const shapes: Shape[] = [[5, 3], [1, 2], [2, 3, 5], ...(isByRows ? [] : [[], [7], [4, 1], [2, 1, 3, 2]])];

  test.for(
    shapes.flatMap((shape) =>
      (['even', 'weighed', 'large'] as const)
        .filter((kind) => kind !== 'weighed' || shape.length > 0)
        .map((kind): [Shape, string] => [shape, kind]),
    ),
  )('of shape %j, %s, is that of float64, and its gradient the differences', async ([shape, kind]) => {
    const random = new Random(seed);
    const width = isByRows ? shape.at(-1)! : 1;
    const count = elementCount(shape);
    const termCount = count / width;
    const size = kind === 'large' ? 200 : 2;
    // What float32 holds. Labels that sum to something else than 1 have gradients, too.
    const scores = Array.from({ length: count }, () => Math.fround(size * (2 * random.uniform() - 1)));
    const labels = Array.from({ length: options.labelType ? termCount : count }, () =>
      options.labelType ? random.integer(width) : random.integer(5) / 4,
    );
    const rowShape = isByRows ? shape.slice(0, -1) : shape.slice(0, 1);
    const rowCount = elementCount(rowShape);
    const rowWeights = Array.from({ length: rowCount }, (_, row) =>
      kind === 'weighed' ? (row === 1 ? 0 : 1 + random.integer(3)) : 1,
    );

    const perRow = termCount / rowCount;
    const total = rowWeights.reduce((sum, weight) => sum + weight, 0) * perRow;
    const lossOf = (changed: readonly number[]): number =>
      Array.from({ length: termCount }, (_, i) => i).reduce(
        (sum, i) => sum + rowWeights[Math.floor(i / perRow)]! * term(changed, labels, i, width),
        0,
      ) / total;

    const labelShape = options.labelType ? shape.slice(0, -1) : shape;
    const { loss, gradient } = await runLoss(
      shape,
      { ...options, ...(kind === 'weighed' && { rowWeights: 'row_weights' }) },
      {
        scores: { dims: shape, data: Float32Array.from(scores) },
        labels: options.labelType
          ? { dims: labelShape, data: BigInt64Array.from(labels, BigInt) }
          : { dims: labelShape, data: Float32Array.from(labels) },
        ...(kind === 'weighed' && { row_weights: { dims: rowShape, data: Float32Array.from(rowWeights) } }),
      },
    );
    const largest = Math.max(
      8,
      ...Array.from({ length: termCount }, (_, i) => term(scores, labels, i, width)),
    );
    expect(Math.abs(loss!.data[0]! - lossOf(scores))).toBeLessThanOrEqual(
      boundOf(2 * Math.max(largest, size)),
    );
    scores.forEach((score, i) => {
      const at = (value: number): number => lossOf(scores.with(i, value));
      const slope = (at(score + STEP) - at(score - STEP)) / (2 * STEP);
      expect(Math.abs(gradient!.data[i]! - slope), `${i}`).toBeLessThanOrEqual(boundOf(2 * size));
    });
  });

  test('rows of weight 0 are as if they were not there', async () => {
    const random = new Random(seed);
    const [rows, all] = [3, 8];
    const scores = Float32Array.from({ length: all * 4 }, () => random.uniform());
    const feedsOf = (count: number): Feeds => ({
      scores: { dims: [count, 4], data: scores.slice(0, count * 4) },
      labels: options.labelType
        ? { dims: [count], data: BigInt64Array.from({ length: count }, (_, row) => BigInt(row % 4)) }
        : { dims: [count, 4], data: Float32Array.from({ length: count * 4 }, (_, i) => Number(i % 4 === 1)) },
    });
    const alone = await runLoss([rows, 4], options, feedsOf(rows));
    const padded = await runLoss(
      [all, 4],
      { ...options, rowWeights: 'row_weights' },
      {
        ...feedsOf(all),
        row_weights: {
          dims: [all],
          data: Float32Array.from({ length: all }, (_, row) => Number(row < rows)),
        },
      },
    );
    const want = [...alone['gradient']!.data, ...new Float32Array((all - rows) * 4)];
    // Adding 0 makes −0 a 0.
    expect([...padded['gradient']!.data].map((slope) => slope + 0)).toEqual(want.map((slope) => slope + 0));
    expect(Math.abs(padded['loss']!.data[0]! - alone['loss']!.data[0]!)).toBeLessThanOrEqual(boundOf(8));
  });
});

test.for([-1, 3, -100])(
  'a class %i of three shows in the loss and in the gradient of its row',
  async (label) => {
    const { loss, gradient } = await runLoss(
      [2, 3],
      { labelType: 'int64' },
      {
        scores: { dims: [2, 3], data: new Float32Array(6) },
        labels: { dims: [2], data: BigInt64Array.of(1n, BigInt(label)) },
      },
    );
    expect(loss!.data[0]).toBeNaN();
    expect([...gradient!.data].map(Number.isNaN)).toEqual([false, false, false, true, true, true]);
  },
);

/** scores = x w, or x w wᵀ … as one number; x may be of int64. */
function productModel(type: 'float32' | 'int64', output: 'scores' | 'total'): onnx.IModelProto {
  return {
    irVersion: 8,
    opsetImport: [{ domain: '', version: 13 }],
    graph: {
      name: 'product',
      input: [valueOf('x', type, ['batch', 2])],
      initializer: [floatTensor('w', { dims: [2, 1], data: Float32Array.of(3, -1) })],
      node: [
        { opType: 'Cast', input: ['x'], output: ['numbers'], attribute: [{ name: 'to', type: 2, i: 1 }] },
        { opType: 'MatMul', input: ['numbers', 'w'], output: ['scores'] },
        ...(output === 'total'
          ? [
              {
                opType: 'Gemm',
                input: ['scores', 'scores'],
                output: ['total'],
                attribute: [{ name: 'transA', type: 2, i: 1 }],
              },
            ]
          : []),
      ],
      output: [floatValue(output, output === 'total' ? [1, 1] : ['batch', 1])],
    },
  };
}

test('an output that is a loss is trained as it is, with data of int64', async () => {
  const { training } = makeTrainingModels(productModel('int64', 'total'), { batch: 2, loss: 'output' });
  await withCpuModel(training, async (run) => {
    const outputs = await run({
      x: { dims: [2, 2], data: BigInt64Array.of(1n, 2n, 0n, 5n) },
      w: { dims: [2, 1], data: Float32Array.of(3, -1) },
    });
    expect(Object.keys(outputs)).toEqual(['total', 'w_grad']);
    // Scores 1 and −5; 2 xᵀ scores.
    expect([...outputs['total']!.data]).toEqual([26]);
    expect([...outputs['w_grad']!.data]).toEqual([2, -46]);
  });
});

test('an output of whole numbers has no loss', () => {
  const model = productModel('float32', 'scores');
  model.graph!.node!.push({ opType: 'ArgMax', input: ['scores'], output: ['best'] });
  model.graph!.output!.push({ name: 'best', type: { tensorType: { elemType: 7 } } });
  expect(() => makeTrainingModels(model, { batch: 2, loss: 'mse', output: 'best' })).toThrow(
    'The output "best" is of ONNX\'s type 7; a loss is of numbers of float32, so choose another output',
  );
});

test('weights may be called as those of another are that begin', async () => {
  const model = productModel('float32', 'scores');
  model.graph!.initializer!.push(floatTensor('initial/w', { dims: [2, 1], data: Float32Array.of(5, 7) }));
  model.graph!.node!.unshift({ opType: 'Add', input: ['w', 'initial/w'], output: ['both'] });
  model.graph!.node!.at(-1)!.input![1] = 'both';
  const { initial } = makeTrainingModels(model, { batch: 2, loss: 'mse' });
  await withCpuModel(initial, async (run) => expect(Object.keys(await run({}))).toEqual(['w', 'initial/w']));
});

test('names and the output are those that are asked for', async () => {
  const { training } = makeTrainingModels(productModel('float32', 'scores'), {
    batch: 2,
    loss: 'mse',
    output: 'scores',
    labels: 'targets',
    rowWeights: 'share',
    lossName: 'error',
  });
  await withCpuModel(training, async (run) => {
    const outputs = await run({
      x: { dims: [2, 2], data: Float32Array.of(1, 2, 0, 5) },
      w: { dims: [2, 1], data: Float32Array.of(3, -1) },
      targets: { dims: [2, 1], data: Float32Array.of(0, 0) },
      share: { dims: [2], data: Float32Array.of(1, 0) },
    });
    expect([...outputs['error']!.data]).toEqual([1]);
    expect([...outputs['w_grad']!.data]).toEqual([2, 4]);
  });
});

/** x [batch, 2] times w, with something behind it. */
function endingModel(...opTypes: readonly string[]): onnx.IModelProto {
  const names = ['scores', ...opTypes.slice(1).map((_, k) => `inner ${k}`), 'result'];
  return {
    irVersion: 8,
    opsetImport: [{ domain: '', version: 13 }],
    graph: {
      name: 'ending',
      input: [floatValue('x', ['batch', 2])],
      initializer: [floatTensor('w', { dims: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) })],
      node: [
        { opType: 'MatMul', input: ['x', 'w'], output: ['scores'] },
        ...opTypes.map((opType, k) => ({
          opType,
          name: `end ${k}`,
          input: [names[k]!],
          output: [names[k + 1]!],
        })),
      ],
      output: [floatValue('result', ['batch', 3])],
    },
  };
}

const batch = 2;
test.for([
  ['cross-entropy', 'Softmax'],
  ['cross-entropy', 'Softmax', 'Identity', 'Flatten'],
  ['cross-entropy', 'Sigmoid'],
  ['bce', 'Sigmoid'],
  ['bce', 'Softmax'],
  ['bce', 'LogSoftmax'],
] as const)('the loss %s behind %s is refused, and says where the scores are', ([loss, ...ends]) => {
  expect(() => makeTrainingModels(endingModel(...ends), { batch, loss })).toThrow(
    `The output "result" comes of Node "end 0" (${ends[0]}), but the loss "${loss}" is of the scores in front of it, and would do ` +
      'the like once more; take them with --output "scores", or the loss "mse" for the output as it is.',
  );
});

test('a loss may be of a value in the model, and what is shipped still gives its output', async () => {
  const x = { dims: [2, 2], data: Float32Array.of(1, -1, 0.5, 2) };
  const labels = { dims: [2, 3], data: Float32Array.of(1, 0, 0, 0, 0, 1) };
  const w = { dims: [2, 3], data: Float32Array.of(0.1, 0.2, 0.3, -0.4, 0.5, -0.6) };
  const [inner, plain] = [
    makeTrainingModels(endingModel('Softmax'), { batch, output: 'scores' }),
    makeTrainingModels(endingModel('Identity'), { batch }),
  ];
  const outputsOf = async (model: Uint8Array<ArrayBuffer>, feeds: Feeds) =>
    await withCpuModel(model, async (run) => await run(feeds));
  expect(await outputsOf(inner.training, { x, w, labels })).toEqual(
    await outputsOf(plain.training, { x, w, labels }),
  );
  const { result } = await outputsOf(inner.forward, { x, w });
  expect(result!.data.slice(0, 3).reduce((sum, share) => sum + share)).toBeCloseTo(1, 6);
  // Squared errors are of probabilities, too; logarithms of a softmax have themselves as theirs.
  for (const [loss, end] of [
    ['mse', 'Softmax'],
    ['cross-entropy', 'LogSoftmax'],
  ] as const) {
    expect(() => makeTrainingModels(endingModel(end), { batch, loss })).not.toThrow();
  }
});

test('weights without influence are refused at once', () => {
  const model = productModel('float32', 'scores');
  for (const name of ['idle', 'rest']) {
    model.graph!.initializer!.push(floatTensor(name, { dims: [2], data: Float32Array.of(1, 2) }));
  }
  expect(() => makeTrainingModels(model, { batch, loss: 'mse' })).toThrow(
    '"idle", "rest" have no influence on "scores"; leave them out: --weights w',
  );
  expect(() => makeTrainingModels(model, { batch, loss: 'mse', weights: ['rest'] })).toThrow(
    '"rest" has no influence on "scores"; name another output with --output',
  );
});

test.for<[string, () => unknown]>([
  [
    'The scores "scores" have shape [2, 1], so there is one class and nothing to learn; take the loss "bce"',
    () => makeTrainingModels(productModel('float32', 'scores'), { batch }),
  ],
  ['The scores "scores" have shape [3]; [N, …, K] is needed', () => lossModel([3], {})],
  [
    'The loss is "toString"; give one of cross-entropy, mse, bce, output',
    () => lossModel([3], { loss: 'toString' as never }),
  ],
  [
    'Labels of type "int64" are no labels of the loss "mse"; it takes float32.',
    () => lossModel([3], { loss: 'mse', labelType: 'int64' }),
  ],
  [
    'Labels of type "int32" are no labels of the loss "cross-entropy"; it takes float32 or int64.',
    () => lossModel([3, 2], { labelType: 'int32' as never }),
  ],
  ['The output "scores" has shape [3]; a loss is a single number', () => lossModel([3], { loss: 'output' })],
  [
    'rowWeights is "w", but the output "scores" is the loss already; leave it out',
    () => lossModel([], { loss: 'output', rowWeights: 'w' }),
  ],
  [
    'labelType is "int64", but the output "scores" is the loss already',
    () => lossModel([], { loss: 'output', labelType: 'int64' }),
  ],
  ['has a value "scores" already', () => lossModel([3, 2], { labels: 'scores' })],
  [
    'The model has no output "logits"; it has scores.',
    () => makeTrainingModels(productModel('float32', 'scores'), { batch, output: 'logits' }),
  ],
])('refused: %s', ([message, call]) => {
  expect(call).toThrow(message);
});
