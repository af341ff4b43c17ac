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
      ['(isLong ? int64Data : int32Data)', 'int64Data'],
    ],
  ),
];
