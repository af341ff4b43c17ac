/** What is known of a model before it runs, and how it is said what is not. */
import type { onnx } from 'onnx-proto';
import { describe, expect, test } from 'vitest';
import { appendGradients } from '../../onnx/gradients.js';
import { Graph } from '../../onnx/graph.js';
import { trainable } from '../../onnx/operators/registry.js';
import { floatTensor, floatValue } from '../../onnx/tensor.js';
import { weightsToInputs } from '../../onnx/weights.js';
import { type Case, modelOf } from '../support/onnx-cases.js';

const shapesOf = (one: Case, opset = 13): (readonly number[])[] => {
  const model = modelOf(one, opset);
  const graph = new Graph(model, 1);
  return graph.nodes.map(({ output }) => graph.shape(output![0]!));
};

/** Appends the gradient of one input with respect to the last result. */
function trainOn(model: onnx.IModelProto, name: string): Graph {
  const graph = new Graph(model, 4);
  const from = graph.nodes.at(-1)!.output![0]!;
  graph.addInput(floatValue('seed', graph.shape(from)));
  appendGradients(graph, { from, seed: 'seed', to: new Map([[name, 'gradient']]) });
  return graph;
}

describe('shapes', () => {
  test('a shape that the model computes from others is known, the batch in it', () => {
    const one: Case = {
      inputs: { x: [4, 2, 3, 5] },
      lists: { zero: 0, axes: [0], rest: [-1], eight: [8], one: 1, twelve: [12] },
      nodes: [
        ['Shape', ['x']],
        ['Gather', ['v0', 'zero']],
        ['Unsqueeze', ['v1', 'axes']],
        ['Concat', ['v2', 'rest'], { axis: 0 }],
        ['Reshape', ['x', 'v3']],
        // Half of the last axis, as chunks are exported.
        ['Gather', ['v0', 'one']],
        ['Add', ['v5', 'one']],
        ['Slice', ['v0', 'one_', 'two', 'axes']],
        ['Mul', ['v7', 'eight']],
        ['Div', ['v8', 'two']],
        ['Concat', ['v9', 'rest'], { axis: 0 }],
        ['Reshape', ['v4', 'v10']],
      ],
    };
    const lists = { ...one.lists, one_: [1], two: [2] };
    expect(shapesOf({ ...one, lists }).at(-1)).toEqual([8, 15]);
    expect(shapesOf({ ...one, lists })[4]).toEqual([4, 30]);
  });

  test('expand, as PyTorch exports it with −1', () => {
    const one: Case = {
      inputs: { x: [1, 5] },
      lists: { asked: [3, -1], rank: [2], minus: -1 },
      nodes: [
        ['ConstantOfShape', ['rank'], {}],
        ['Shape', ['x']],
        ['Equal', ['asked', 'minus']],
        ['Where', ['v2', 'v1', 'asked']],
        ['Expand', ['x', 'v3']],
      ],
    };
    expect(shapesOf(one).at(-1)).toEqual([3, 5]);
  });

  test.each([
    [
      [['MatMul', ['x', 'y']]],
      /The MatMul that gives "v0": it multiplies shapes \[2, 3, 4, 4\] and \[3, 5\]/,
    ],
    [[['Add', ['x', 'y']]], /The Add that gives "v0": shapes \[2, 3, 4, 4\] and \[3, 5\] do not go together/],
    [
      [['Conv', ['x', 'w'], { group: 2 }]],
      /the Conv that gives "v0": its input \[2, 3, 4, 4\] and weights \[5, 3, 9, 9\] do not go together in 2 group/i,
    ],
    [
      [['MaxPool', ['x'], { kernel_shape: [2, 2], strides: [3, 3], pads: [1, 1, 1, 1], ceil_mode: 1 }]],
      /The MaxPool that gives "v0": by its ceil_mode the last window begins in the padding, and below opset 22 .* opset 22, or with/,
    ],
    [[['Conv', ['x', 'w']]], /windows of \[9, 9\] do not fit into \[4, 4\]/],
    [
      [['Concat', ['x', 'y'], { axis: 0 }]],
      /The Concat that gives "v0": shapes .* do not go together along axis 0/,
    ],
    [
      [
        ['Transpose', ['y']],
        ['Concat', ['y', 'v0'], { axis: 0 }],
      ],
      /The Concat that gives "v1"/,
    ],
    [
      [
        ['Softmax', ['y']],
        ['ReduceSum', ['v0'], { axes: [2] }],
      ],
      /axis 2 is given, but there are 2 axes/,
      11,
    ],
    [
      [['Split', ['y'], { split: [1, 1] }, ['p', 'q']]],
      /parts of \[1, 1\] do not make up axis 0 of \[3, 5\]/,
      11,
    ],
    [[['Flatten', ['nothing']]], /The Flatten that gives "v0": the graph has no value "nothing"/],
    [[['Relu', ['y']]], /The model is of opset 6; export it with 7 or later/, 6],
  ] as const)('%j is refused by its place', (nodes, message, opset: number | undefined = 13) => {
    const inputs = { x: [2, 3, 4, 4], y: [3, 5], w: [5, 3, 9, 9] };
    expect(() => shapesOf({ nodes, inputs }, opset)).toThrow(message);
  });

  test('a node that has a name is named', () => {
    const model = modelOf({ inputs: { x: [2], y: [3] }, nodes: [['Add', ['x', 'y']]] }, 13);
    model.graph!.node![0]!.name = 'sum';
    expect(() => new Graph(model, 1)).toThrow('Node "sum" (Add): shapes [2] and [3] do not go together.');
  });
});

describe('what training does not know', () => {
  const head: Case = {
    inputs: { x: [4, 6], w: [6, 2] },
    nodes: [
      ['Fancy', ['x']],
      ['Relu', ['v0']],
      ['MatMul', ['v1', 'w']],
    ],
  };

  test('may stand in front of all that is trained, where the model declares what it gives', () => {
    const model = modelOf(head, 13);
    model.graph!.valueInfo = [floatValue('v0', [4, 6])];
    expect(trainOn(model, 'w').shape('gradient')).toEqual([6, 2]);
    // An open axis of an input's name is the batch.
    model.graph!.node!.splice(3);
    const open = modelOf(head, 13);
    open.graph!.input![0] = floatValue('x', ['rows', 6]);
    open.graph!.valueInfo = [floatValue('v0', ['rows', 6])];
    expect(trainOn(open, 'w').shape('v2')).toEqual([4, 2]);
  });

  test('is named where a shape behind it is wanted', () => {
    expect(() => trainOn(modelOf(head, 13), 'w')).toThrow(
      'The shape of "v2" is not known. The Fancy that gives "v0" is of a kind that training does not know. Run onnx.shape_inference',
    );
    const open = modelOf(head, 13);
    open.graph!.valueInfo = [floatValue('v0', ['somewhat', 6])];
    expect(() => trainOn(open, 'w')).toThrow('The shape of "v2" is not known');
  });

  test('is all named at once where gradients would go through it', () => {
    const model = modelOf(
      {
        inputs: { x: [4, 6], w: [6, 2] },
        nodes: [
          ['Fancy', ['x']],
          ['MatMul', ['x', 'w']],
          ['Strange', ['v1']],
          ['Relu', ['v2']],
          ['Floor', ['v3']],
        ],
      },
      13,
    );
    model.graph!.valueInfo = [floatValue('v2', [4, 2])];
    model.graph!.node![4]!.name = 'steps';
    expect(() => trainOn(model, 'w')).toThrow(
      `Gradients are not known of The Strange that gives "v2", Node "steps" (Floor); they are of ${trainable.join(', ')}.`,
    );
  });

  test.each([
    [
      'Conv',
      ['x', 'w'],
      { kernel_shape: [1, 1, 1] },
      'it has 3 spatial axes; gradients are known for 1 and 2',
    ],
    [
      'ConvTranspose',
      ['x', 'w'],
      { dilations: [2, 2, 2], output_padding: [0, 1, 0] },
      'its output_padding [0, 1, 0] must be less than its strides [1, 1, 1]',
    ],
    ['Pad', ['w', 'pads'], { mode: 'reflect' }, 'its mode is reflect; gradients are known for constant.'],
    ['Dropout', ['w', 'half', 'on'], {}, 'its training_mode is on; export the model for inference.'],
  ] as const)('%s of a kind without gradient', (opType, inputs, attributes, message) => {
    const lists = { pads: [0, 0, 0, 0, 0, 0, 0, 0, 0, 1], on: 1, half: 1 };
    const one: Case = {
      inputs: { x: [1, 2, 3, 3, 3], w: [2, 2, 1, 1, 1] },
      lists,
      nodes: [[opType, inputs, attributes]],
    };
    expect(() => trainOn(modelOf(one, 13), 'w')).toThrow(`The ${opType} that gives "v0": ${message}`);
  });
});

describe('no gradient is lost without a word', () => {
  test('what graphs inside a node take from outside counts as its inputs', () => {
    const model = modelOf(
      {
        inputs: { c: [1], x: [4, 6], w: [6, 2] },
        nodes: [
          ['MatMul', ['x', 'w']],
          ['If', ['c']],
          ['Add', ['v0', 'v1']],
        ],
      },
      13,
    );
    const { node } = modelOf({ inputs: {}, nodes: [['Exp', ['v0'], {}, ['inner']]] }, 13).graph!;
    const branch = { name: 'branch', node: node!, output: [floatValue('inner', [4, 2])] };
    model.graph!.node![1]!.attribute = [{ name: 'then_branch', type: 5, g: branch }];
    model.graph!.valueInfo = [floatValue('v1', [4, 2])];
    expect(() => trainOn(model, 'w')).toThrow('Gradients are not known of The If that gives "v1"');
  });

  test('numbers of float64 on the way are refused', () => {
    const one: Case = {
      inputs: { w: [3] },
      nodes: [
        ['Cast', ['w'], { to: 11 }],
        ['Exp', ['v0']],
        ['Cast', ['v1'], { to: 1 }],
        ['Add', ['v2', 'w']],
      ],
    };
    expect(() => trainOn(modelOf(one, 13), 'w')).toThrow(
      'other types of numbers come from The Cast that gives "v0", The Exp that gives "v1"; export the model in float32.',
    );
  });

  test('a limit that is trained is refused', () => {
    const one: Case = {
      inputs: { x: [3], w: [2] },
      nodes: [
        ['ReduceMax', ['w'], { keepdims: 0 }],
        ['Clip', ['x', '', 'v0']],
      ],
    };
    expect(() => trainOn(modelOf(one, 13), 'w')).toThrow(
      'The Clip that gives "v1": the loss depends on its input "v0", which has no gradient',
    );
  });

  test('a result that is left out is no input that is', () => {
    const one: Case = {
      inputs: { x: [4, 6], w: [6, 4] },
      nodes: [
        ['Split', ['w'], { axis: 1 }, ['kept', '']],
        ['Gemm', ['x', 'kept', '']],
      ],
    };
    expect(trainOn(modelOf(one, 13), 'w').shape('gradient')).toEqual([6, 4]);
  });
});

describe('batch normalization', () => {
  const model = modelOf(
    { inputs: { x: [2, 3] }, nodes: [['BatchNormalization', ['x', 'scale', 'bias', 'mean', 'variance']]] },
    15,
  );
  const ones = { dims: [3], data: new Float32Array(3).fill(1) };
  model.graph!.initializer = ['scale', 'bias', 'mean', 'variance'].map((name) => floatTensor(name, ones));

  test('its running statistics are no weights', () => {
    expect([...weightsToInputs(model).weights.keys()]).toEqual(['scale', 'bias']);
  });

  test('they are refused where they are asked for', () => {
    const asked = weightsToInputs(model, ['mean']).model;
    expect(() => trainOn(asked, 'mean')).toThrow('its running mean and variance are no weights');
  });
});
