import { slipsIn } from './slip.js';

const operators = (title: string): string => `unit/onnx-operators#${title}`;

export const onnxSlips = [
  ...slipsIn(
    'onnx/operators/products.ts',
    [operators('MatMul')],
    [
      ["alpha: float(node, 'alpha', 1)", 'alpha: 1', operators('Gemm')],
      ["float(node, 'beta', 1)", '1', operators('Gemm')],
      ['[...range(rank - 2), rank - 1, rank - 2]', 'range(rank)'],
      ["sumTo(graph, graph.add('MatMul', [left, right]), like)", "graph.add('MatMul', [left, right])"],
    ],
  ),
  ...slipsIn(
    'onnx/operators/convolutions.ts',
    [operators('Conv')],
    [
      ['strides: dilations,', 'strides,'],
      ['dilations: strides,', 'dilations,'],
      ['[2, 1, 0, ...', '[1, 2, 0, ...'],
      ['(axis) => axis !== 1)', '(axis) => axis > 1)'],
    ],
  ),
  ...slipsIn(
    'onnx/operators/window.ts',
    [operators('Pool'), operators('Conv')],
    [
      ['output: isCut ? count - 1 : count', 'output: count'],
      ['isCut: axes.some(({ isCut }) => isCut)', 'isCut: false', 'unit/onnx-graph#its place'],
      ["begin = auto === 'SAME_LOWER' ? Math.ceil", "begin = auto === 'SAME_UPPER' ? Math.ceil"],
      ["auto === 'SAME_UPPER' ? Math.floor(padding / 2) : Math.ceil(padding / 2)", 'Math.ceil(padding / 2)'],
      ['(count) => Math.max(0, -count)', '() => 0'],
      ['place < input[axis]! + ends[axis]!', 'true'],
    ],
  ),
  ...slipsIn(
    'onnx/operators/pooling.ts',
    ['unit/onnx-kinks#MaxPool'],
    [
      ['places.length - k : 0', '1 : 0'],
      ['isInside(place, at) ? places.length - k : 0', 'places.length - k'],
      ['1 / elementCount(shape.slice(2))', '1', operators('GlobalAveragePool')],
    ],
  ),
  ...slipsIn(
    'onnx/operators/normalization.ts',
    [operators('Normalization')],
    [
      ["const level = graph.add('Sub', [gradient, mean(gradient)]);", 'const level = gradient;'],
      ["float(node, 'epsilon', 1e-5)", '1e-5'],
      ['graph.integers(mode)?.[0] !== 0', 'false', 'unit/onnx-graph#without gradient'],
    ],
  ),
  ...slipsIn(
    'onnx/operators/activations.ts',
    [operators('Softmax')],
    [
      ['if (graph.opset >= 13) return [axis', 'if (graph.opset >= 7) return [axis'],
      ['even(3 * CUBIC)', 'even(CUBIC)', operators('Gelu')],
      ['atLeast(graph, x, min)', "graph.add('Greater', [x, min])", 'unit/onnx-kinks#Clip'],
    ],
  ),
  ...slipsIn(
    'onnx/operators/elementwise.ts',
    ['unit/onnx-kinks#powers'],
    [
      ['select(graph, isNot0(b), power)', 'power'],
      [
        "graph.add('Neg', [product(graph, quotient, node.output![0]!)])",
        'product(graph, quotient, node.output![0]!)',
        operators('Div'),
      ],
    ],
  ),
  ...slipsIn(
    'onnx/operators/reductions.ts',
    ['unit/onnx-kinks#ReduceMax'],
    [
      ["graph.add('Div', [spread(gradient), count])", 'spread(gradient)'],
      ["'noop_with_empty_axes', 0) === 1", "'keepdims', 1) === 0", operators('ReduceSum')],
    ],
  ),
  ...slipsIn(
    'onnx/operators/movement.ts',
    [operators('Slice')],
    [
      ['step > 0 ? start : start + (count - 1) * step', 'start'],
      ['select(graph, isNegative, graph.constant(rowCount))', 'graph.constant(0)', operators('Gather')],
      [
        'gradients.map((name, k) => name ?? zeros(graph, parts[k]!))',
        'gradients.map((name) => name ?? gradients.at(-1)!)',
        operators('Split'),
      ],
    ],
  ),
  ...slipsIn(
    'onnx/operators/fold.ts',
    ['unit/onnx-graph#shape'],
    [
      ['binary((a, b) => Math.trunc(a / b))', 'binary((a, b) => a / b)', 'unit/onnx-exported#transformer-17'],
      ['holds ? yes![k]! : no![k]!', 'holds ? no![k]! : yes![k]!', 'unit/onnx-graph#expand'],
    ],
  ),
  ...slipsIn(
    'onnx/operators/forms.ts',
    [operators('')],
    [
      ["graph.opset < (opType === 'ReduceSum' ? 13 : 18)", 'graph.opset < 13'],
      [
        "if (graph.opset >= 9) return graph.add('Where', [condition, value",
        "if (graph.opset >= 7) return graph.add('Where', [condition, value",
        operators('Relu'),
      ],
      [
        "if (graph.opset < 11) return graph.add('Pad'",
        "if (graph.opset < 10) return graph.add('Pad'",
        operators('Slice'),
      ],
    ],
  ),
  ...slipsIn(
    'onnx/losses/registry.ts',
    ['unit/onnx-losses#behind'],
    [
      ['rejectContained(graph, output, name, loss);', ''],
      ['while (node && CARRIERS.has(node.opType!))', 'while (false)'],
    ],
  ),
  ...slipsIn(
    'onnx/axes.ts',
    ['unit/onnx-axes#refused'],
    [
      ['if (!first && batch !== undefined) {', 'if (false) {'],
      ['if (first && batch === undefined) {', 'if (false) {'],
    ],
  ),
  ...slipsIn(
    'onnx/gradients.ts',
    ['unit/onnx-graph'],
    [
      [
        'const idle = [...to.keys()].filter((name) => !terms.has(name));',
        'const idle = [...to.keys()].filter((name) => !terms.has(name)).slice(0, 1);',
        'unit/onnx-losses#without influence',
      ],
      ['rejectUnknown(path);', ''],
      [
        'if (name && FLOATING.has(graph.elementType(name))) influenced.add(name);',
        'influenced.add(name);',
        operators('Cast'),
      ],
    ],
  ),
  ...slipsIn(
    'onnx/graph.ts',
    ['unit/onnx-graph'],
    [
      ['this.#declared.get(name) ?? why', 'why'],
      ['(dimParam && open.has(dimParam))', 'dimParam'],
      ['if (!(error instanceof UnknownShape)) throw', 'if (error instanceof TypeError) throw'],
    ],
  ),
  ...slipsIn(
    'onnx/weights.ts',
    ['unit/onnx-graph#running'],
    [['.filter((name) => !statistics.has(name))', '']],
  ),
];
