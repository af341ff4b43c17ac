/** Slips of the command that makes training graphs. */
import { type Slip, slipsIn } from './slip.js';

export const onnxFileSlips: readonly Slip[] = [
  ...slipsIn(
    'onnx/losses/cross-entropy.ts',
    ['unit/onnx-losses'],
    [
      ["graph.add('Div', [sum(wanted), total])", "graph.add('Div', [graph.constant(1), total])"],
      ['const last = [shape.length - 1];', 'const last = [1];'],
      ["graph.add('Sub', [scores, graph.reduce('ReduceMax', scores, last, 1)])", 'scores'],
      ["graph.add('Mul', [isSmall, isLarge])", 'isSmall'],
      ["graph.add('Mul', [isSmall, isLarge])", 'isLarge'],
      ['if (shape.at(-1) === 1) {', 'if (false) {'],
    ],
  ),
  ...slipsIn(
    'onnx/losses/elementwise.ts',
    ['unit/onnx-losses'],
    [
      ['graph.constant(2)', 'graph.constant(1)'],
      ["graph.add('Abs', [scores])", 'scores'],
    ],
  ),
  ...slipsIn(
    'onnx/losses/loss.ts',
    ['unit/onnx-losses'],
    [
      ['elementCount(shape) / elementCount(rows)', '1'],
      ["graph.add('Div', [weights, total])", "graph.add('Div', [graph.constant(1), total])"],
    ],
  ),
  ...slipsIn(
    'onnx/tensor.ts',
    ['unit/onnx-tensor'],
    [
      ['size === 0 && !allowZero', 'size === 0'],
      ['shape.every(Number.isInteger) && ', ''],
      ['(dataType === DataType.INT64 ? int64Data : int32Data)', 'int64Data'],
    ],
  ),
  ...slipsIn(
    'onnx/axes.ts',
    ['unit/onnx-axes'],
    [
      ['if (rowLength(input![0]!) === rowLength(output![0]!)) continue;', 'continue;'],
      ['integerTensor(name, [0, ...target.slice(1)])', 'integerTensor(name, target)'],
      [
        "node.attribute = node.attribute!.filter((attribute) => attribute.name !== 'allowzero');",
        '',
        'unit/onnx-fixed',
      ],
      ['if (earlier && isOfRows(output))', 'if (false)'],
      ['if (sizes.size === 1) return firsts[0]!.size;', 'return firsts[0]!.size;'],
      ['if (name && !sizes.has(name)) sizes.set(name, batch);', ''],
      ['changed![0] !== shape![0]) continue;', 'changed![0] !== shape![0] || true) continue;'],
      ["unused.delete(axis.dimParam ?? '');", ''],
    ],
  ),
  ...slipsIn(
    'onnx/float16.ts',
    ['unit/onnx-axes'],
    [
      ['attribute.i = DataType.FLOAT;', ''],
      ['type.tensorType.elemType = DataType.FLOAT;', ''],
      ['new Uint8Array(Uint16Array.from(int32Data ?? []).buffer)', 'new Uint8Array(int32Data ?? [])'],
    ],
  ),
  ...slipsIn(
    'onnx/read-model.ts',
    ['unit/onnx-axes'],
    [
      ['cause instanceof RangeError && bytes[0] === FIRST_BYTE', 'cause instanceof RangeError'],
      ['if (!opsetImport?.length) {', 'if (false) {'],
    ],
  ),
  ...slipsIn(
    'onnx/put-command.ts',
    ['unit/onnx-command'],
    [
      ['showShape(shape) !== showShape(tensor.shape)', 'false'],
      ['isCheckpoint ? undefined : shapes.get(own)', 'shapes.get(own)'],
    ],
  ),
  ...slipsIn(
    'src/adapters/onnxruntime/put-weights.ts',
    ['unit/onnx-put'],
    [
      ['number !== RAW_DATA && !OTHER_DATA.includes(number)', 'number !== RAW_DATA'],
      ['.subarray(0, 2 * values.length)', ''],
      ['if (countElements(dims) !== values.length) {', 'if (false) {'],
      ['if (last(DATA_LOCATION) !== 0) {', 'if (false) {'],
      ['Number.isFinite(value) && ', ''],
      ['if (missing === undefined) return', 'return'],
    ],
  ),
  ...slipsIn(
    'src/adapters/onnxruntime/protobuf.ts',
    ['unit/onnx-put'],
    [
      ["if (at > message.length) throw new RangeError('a field beyond the end');", ''],
      ['(bytes[at]! % 128) * scale', 'bytes[at]! * scale'],
      ['value < 128 ? [value]', 'value <= 128 ? [value]'],
    ],
  ),
];
