/** Cases of each operator that training knows, in the forms that opsets give it. */
import type { Case, Node } from './onnx-cases.js';

const FLOAT = 1;
const INT64 = 7;

/** One node of inputs `a`, `b`, …, by their shapes. */
function one(
  opType: string,
  shapes: readonly (readonly number[])[],
  attributes: Node[2] = {},
  others: Partial<Case> = {},
): Case {
  const names = shapes.map((_, k) => 'abcdefgh'[k]!);
  const inputs = Object.fromEntries(names.map((name, k) => [name, shapes[k]!]));
  return { inputs, nodes: [[opType, [...names, ...Object.keys(others.lists ?? {})], attributes]], ...others };
}

const image = [2, 4, 5, 6];
/** By what they show. */
export const operatorCases: Record<string, Case> = {
  'MatMul of matrices': one('MatMul', [
    [3, 4],
    [4, 5],
  ]),
  'MatMul of batches': one('MatMul', [
    [2, 3, 4],
    [2, 4, 5],
  ]),
  'MatMul of batches, stretched each way': one('MatMul', [
    [2, 1, 3, 4],
    [3, 4, 5],
  ]),
  'MatMul by one matrix of weights': one('MatMul', [
    [2, 3, 2, 4],
    [4, 5],
  ]),
  'MatMul, a matrix by a batch': one('MatMul', [
    [3, 4],
    [2, 4, 5],
  ]),
  'MatMul of a vector and a batch': one('MatMul', [[4], [2, 4, 5]]),
  'MatMul of a batch and a vector': one('MatMul', [[2, 3, 4], [4]]),
  'MatMul of vectors': one('MatMul', [[4], [4]]),
  'Gemm with alpha and beta': one('Gemm', [[4, 3], [5, 4], [5]], {
    transA: 1,
    transB: 1,
    alpha: { f: 0.5 },
    beta: { f: 3 },
  }),
  'Gemm with one number added': one('Gemm', [[3, 4], [4, 5], [1]], { beta: { f: -2 } }, { opsets: [7, 13] }),

  'Conv, plain': one('Conv', [image, [3, 4, 3, 2], [3]]),
  'Conv, strided, padded unevenly, dilated': one('Conv', [image, [3, 4, 2, 3]], {
    strides: [2, 3],
    pads: [1, 0, 2, 1],
    dilations: [2, 1],
  }),
  'Conv in groups, with elements that no window reaches': one('Conv', [image, [6, 2, 2, 3], [6]], {
    group: 2,
    strides: [2, 2],
  }),
  'Conv of each channel by itself': one(
    'Conv',
    [
      [1, 3, 5, 5],
      [6, 1, 3, 3],
    ],
    { group: 3, pads: [1, 1, 1, 1], strides: [2, 2] },
  ),
  'Conv, padded to the same size below': one(
    'Conv',
    [
      [1, 2, 5, 6],
      [3, 2, 2, 4],
    ],
    { auto_pad: 'SAME_LOWER', strides: [2, 1] },
  ),
  'Conv, padded to the same size above': one(
    'Conv',
    [
      [1, 2, 5, 6],
      [3, 2, 2, 4],
    ],
    { auto_pad: 'SAME_UPPER', strides: [1, 2] },
  ),
  'Conv without padding': one(
    'Conv',
    [
      [1, 2, 5],
      [3, 2, 2],
    ],
    { auto_pad: 'VALID', strides: [2] },
    { opsets: [7, 11] },
  ),
  'Conv as large as its input': one('Conv', [
    [2, 3, 4, 4],
    [5, 3, 4, 4],
  ]),
  'Conv along one axis': one('Conv', [[2, 3, 7], [4, 3, 3], [4]], {
    strides: [2],
    pads: [2, 0],
    dilations: [2],
  }),
  'ConvTranspose, strided and padded': one('ConvTranspose', [[2, 3, 3, 4], [3, 2, 3, 2], [2]], {
    strides: [2, 3],
    pads: [1, 0, 0, 1],
    output_padding: [1, 2],
  }),
  'ConvTranspose in groups, dilated': one('ConvTranspose', [[1, 4, 3, 3], [4, 3, 2, 2], [6]], {
    group: 2,
    dilations: [2, 1],
  }),
  'ConvTranspose to a given shape': one(
    'ConvTranspose',
    [
      [1, 2, 3, 3],
      [2, 2, 3, 3],
    ],
    { strides: [2, 2], output_shape: [6, 6], auto_pad: 'SAME_UPPER' },
  ),
  'ConvTranspose along one axis': one(
    'ConvTranspose',
    [[2, 3, 4], [3, 2, 3], [2]],
    { strides: [2] },
    { opsets: [8, 13] },
  ),

  MaxPool: one('MaxPool', [image], { kernel_shape: [2, 2], strides: [2, 2] }, { opsets: [7, 9, 10, 12, 18] }),
  'MaxPool of windows that overlap, padded': one('MaxPool', [image], {
    kernel_shape: [3, 3],
    strides: [2, 2],
    pads: [1, 1, 1, 1],
  }),
  'MaxPool, rounded up, dilated': one('MaxPool', [image], {
    kernel_shape: [2, 2],
    strides: [2, 3],
    dilations: [1, 2],
    ceil_mode: 1,
  }),
  'MaxPool along one axis, to the same size': one('MaxPool', [[2, 2, 7]], {
    kernel_shape: [3],
    strides: [2],
    auto_pad: 'SAME_UPPER',
  }),
  AveragePool: one(
    'AveragePool',
    [image],
    { kernel_shape: [2, 3], strides: [2, 1] },
    { opsets: [7, 13, 19] },
  ),
  'AveragePool, padded, padding left out': one('AveragePool', [image], {
    kernel_shape: [3, 3],
    strides: [2, 2],
    pads: [1, 1, 1, 1],
  }),
  'AveragePool, padded, padding counted': one('AveragePool', [image], {
    kernel_shape: [3, 3],
    strides: [2, 2],
    pads: [1, 0, 1, 2],
    count_include_pad: 1,
  }),
  'AveragePool, rounded up': one('AveragePool', [image], {
    kernel_shape: [2, 2],
    strides: [2, 4],
    ceil_mode: 1,
  }),
  'AveragePool, rounded up, padding counted': one(
    'AveragePool',
    [image],
    { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 0, 1, 0], ceil_mode: 1, count_include_pad: 1 },
    { opsets: [13, 19] },
  ),
  // Until opset 22, ONNX's own shapes have a window more than ONNX Runtime computes.
  'MaxPool, rounded up, without the window that begins in the padding': one(
    'MaxPool',
    [[1, 2, 3, 4]],
    { kernel_shape: [2, 2], strides: [3, 2], pads: [0, 0, 1, 1], ceil_mode: 1 },
    { opsets: [22] },
  ),
  GlobalAveragePool: one('GlobalAveragePool', [image], {}, { opsets: [7, 13] }),

  'BatchNormalization, by running statistics': one(
    'BatchNormalization',
    [[3, 4, 2, 2], [4], [4], [4], [4]],
    { epsilon: { f: 0.01 } },
    { frozen: ['d', 'e'], positive: ['e'], opsets: [7, 9, 14, 15] },
  ),
  'BatchNormalization, by the statistics of the batch': {
    inputs: { a: [3, 2, 4], b: [2], c: [2], d: [2], e: [2] },
    frozen: ['d', 'e'],
    positive: ['e'],
    nodes: [
      [
        'BatchNormalization',
        ['a', 'b', 'c', 'd', 'e'],
        { training_mode: 1, epsilon: { f: 0.01 } },
        ['y', 'mean', 'variance'],
      ],
    ],
    opsets: [15],
  },
  'BatchNormalization of rows': one(
    'BatchNormalization',
    [[3, 4], [4], [4], [4], [4]],
    {},
    { frozen: ['d', 'e'], positive: ['e'] },
  ),
  LayerNormalization: one('LayerNormalization', [[3, 2, 5], [5], [5]], {}, { opsets: [17, 18] }),
  'LayerNormalization over two axes, without bias': one(
    'LayerNormalization',
    [
      [3, 2, 5],
      [2, 5],
    ],
    { axis: 1, epsilon: { f: 0.1 } },
    { opsets: [17] },
  ),
  InstanceNormalization: one(
    'InstanceNormalization',
    [[2, 3, 4, 2], [3], [3]],
    { epsilon: { f: 0.01 } },
    { opsets: [7, 13, 18] },
  ),
  Dropout: one('Dropout', [[3, 4]], {}, { opsets: [7, 10, 13] }),

  Relu: one('Relu', [[3, 5]], {}, { opsets: [7, 13] }),
  LeakyRelu: one('LeakyRelu', [[3, 5]], { alpha: { f: 0.25 } }, { opsets: [7, 16] }),
  'Clip by attributes': one('Clip', [[4, 6]], { min: { f: -0.5 }, max: { f: 1 } }, { opsets: [7] }),
  'Clip by inputs': one('Clip', [[4, 6], [], []], {}, { frozen: ['b', 'c'], values: { b: [-0.5], c: [1] } }),
  'Clip from above alone': {
    inputs: { a: [4, 6], c: [] },
    frozen: ['c'],
    values: { c: [0.5] },
    nodes: [['Clip', ['a', '', 'c']]],
  },
  Tanh: one('Tanh', [[3, 5]]),
  Sigmoid: one('Sigmoid', [[3, 5]]),
  Erf: one('Erf', [[3, 5]], {}, { opsets: [9, 13] }),
  Gelu: one('Gelu', [[3, 5]], {}, { opsets: [20] }),
  'Gelu by tanh': one('Gelu', [[3, 5]], { approximate: 'tanh' }, { opsets: [20] }),
  Softmax: one('Softmax', [[2, 3, 4]], { axis: 1 }, { opsets: [13] }),
  'Softmax of all axes behind one, as in old opsets': one('Softmax', [[2, 3, 4]], {}, { opsets: [7, 11] }),
  LogSoftmax: one('LogSoftmax', [[2, 3, 4]], {}, { opsets: [13] }),
  'LogSoftmax of all axes behind one, as in old opsets': one(
    'LogSoftmax',
    [[2, 3, 4]],
    { axis: 1 },
    { opsets: [7] },
  ),

  'Add, stretched': one(
    'Add',
    [
      [2, 3, 4],
      [3, 1],
    ],
    {},
    { opsets: [7, 13, 14] },
  ),
  'Sub, stretched': one('Sub', [[4], [2, 3, 4]]),
  'Mul of a value with itself': { inputs: { a: [3] }, nodes: [['Mul', ['a', 'a']]] },
  'Mul, stretched': one('Mul', [
    [2, 1, 4],
    [3, 1],
  ]),
  'Div, stretched': one(
    'Div',
    [
      [2, 3, 4],
      [3, 1],
    ],
    {},
    { positive: ['b'] },
  ),
  Pow: one('Pow', [[2, 3], [3]], {}, { positive: ['a'], opsets: [7, 13] }),
  'Pow by a whole number': one('Pow', [[2, 3]], {}, { lists: { two: 2 } }),
  Neg: one('Neg', [[2, 3]]),
  Exp: one('Exp', [[2, 3]]),
  Log: one('Log', [[2, 3]], {}, { positive: ['a'] }),
  Sqrt: one('Sqrt', [[2, 3]], {}, { positive: ['a'] }),
  Reciprocal: one('Reciprocal', [[2, 3]], {}, { positive: ['a'] }),
  Abs: one('Abs', [[2, 3]]),
  Sin: one('Sin', [[2, 3]]),
  Cos: one('Cos', [[2, 3]]),
  Identity: one('Identity', [[2, 3]]),
  Cast: {
    inputs: { a: [2, 3] },
    nodes: [
      ['Cast', ['a'], { to: FLOAT }],
      ['Cast', ['a'], { to: INT64 }],
      ['Cast', ['v1'], { to: FLOAT }],
      ['Mul', ['v0', 'v2']],
    ],
  },
  'Where, stretched': {
    inputs: { a: [2, 3], b: [3], c: [2, 1] },
    frozen: ['c'],
    nodes: [
      ['Greater', ['c', 'b']],
      ['Where', ['v0', 'a', 'b']],
    ],
    opsets: [9, 16],
  },

  'ReduceSum with axes as an attribute': one(
    'ReduceSum',
    [[2, 3, 4]],
    { axes: [0, -1] },
    { opsets: [7, 11] },
  ),
  'ReduceSum with axes as an input': one('ReduceSum', [[2, 3, 4]], { keepdims: 0 }, { lists: { axes: [1] } }),
  'ReduceSum of all': one('ReduceSum', [[2, 3]], { keepdims: 0 }),
  'ReduceMean with axes as an attribute': one(
    'ReduceMean',
    [[2, 3, 4]],
    { axes: [-1], keepdims: 0 },
    { opsets: [7, 13] },
  ),
  'ReduceMean with axes as an input': one(
    'ReduceMean',
    [[2, 3, 4]],
    {},
    { lists: { axes: [0, 2] }, opsets: [18] },
  ),
  ReduceMax: one('ReduceMax', [[2, 3, 4]], { axes: [1] }),
  ReduceMin: one('ReduceMin', [[2, 3, 4]], { axes: [2], keepdims: 0 }),
  ReduceL2: one('ReduceL2', [[2, 3, 4]], { axes: [2] }),
  ReduceSumSquare: one('ReduceSumSquare', [[2, 3, 4]], { axes: [0, 1] }),

  Flatten: one('Flatten', [[2, 3, 4]], { axis: 2 }),
  'Reshape with 0 and −1': one('Reshape', [[2, 3, 4]], {}, { lists: { shape: [0, -1] } }),
  'Squeeze by an attribute': one('Squeeze', [[1, 3, 1]], { axes: [0] }, { opsets: [7, 11] }),
  'Squeeze by an input': one('Squeeze', [[1, 3, 1]], {}, { lists: { axes: [-1] } }),
  'Squeeze of all': one('Squeeze', [[1, 3, 1]]),
  'Unsqueeze by an attribute': one('Unsqueeze', [[3, 2]], { axes: [0, 3] }, { opsets: [7, 11] }),
  'Unsqueeze by an input': one('Unsqueeze', [[3, 2]], {}, { lists: { axes: [1, -1] } }),
  Transpose: one('Transpose', [[2, 3, 4]], { perm: [2, 0, 1] }),
  'Transpose, all axes turned round': one('Transpose', [[2, 3, 4]]),
  Expand: one('Expand', [[3, 1]], {}, { lists: { shape: [2, 1, 4] } }),
  Concat: one(
    'Concat',
    [
      [2, 3],
      [2, 1],
      [2, 2],
    ],
    { axis: -1 },
  ),
  'Split by an attribute': {
    inputs: { a: [2, 6] },
    nodes: [
      ['Split', ['a'], { axis: 1, split: [1, 2, 3] }, ['p', 'q', 'r']],
      ['Mul', ['p', 'r']],
    ],
    opsets: [7, 11],
  },
  'Split by an input': {
    inputs: { a: [6, 2] },
    lists: { sizes: [2, 2, 2] },
    nodes: [
      ['Split', ['a', 'sizes'], {}, ['p', 'q', 'r']],
      ['Mul', ['p', 'r']],
    ],
  },
  'Split into parts of one size, the last one smaller': {
    inputs: { a: [2, 5] },
    nodes: [
      ['Split', ['a'], { axis: -1, num_outputs: 3 }, ['p', 'q', 'r']],
      ['Mul', ['q', 'r']],
    ],
    opsets: [18],
  },
  'Slice by attributes': one(
    'Slice',
    [[4, 5]],
    { starts: [1, -3], ends: [9, -1], axes: [0, 1] },
    { opsets: [7, 9] },
  ),
  'Slice by inputs, with steps': one(
    'Slice',
    [[7, 6]],
    {},
    { lists: { starts: [1, 0], ends: [7, 6], axes: [0, -1], steps: [3, 2] } },
  ),
  'Slice downwards': one(
    'Slice',
    [[7, 6]],
    {},
    { lists: { starts: [-1, 4], ends: [-100, 0], axes: [0, 1], steps: [-2, -1] }, opsets: [10, 13] },
  ),
  'Pad by attributes': one('Pad', [[2, 3]], { pads: [1, 0, 2, 1] }, { opsets: [7] }),
  'Pad by inputs': one('Pad', [[2, 3]], {}, { lists: { pads: [1, 0, 2, 1] } }),
  'Gather of rows, some twice, one from behind': {
    inputs: { a: [5, 3], i: [2, 3] },
    frozen: ['i'],
    values: { i: [0, 4, 0, -1, 2, 0] },
    nodes: [
      ['Cast', ['i'], { to: INT64 }],
      ['Gather', ['a', 'v0']],
    ],
    opsets: [7, 13],
  },
  'Gather of one column': one('Gather', [[3, 4, 2]], { axis: 1 }, { lists: { first: 0 } }),
};
