/** Convolutions, plain and transposed, of any strides, pads, dilations and groups. */
import { type Shape, showShape } from '../tensor.js';
import { integer, integers, range } from './attributes.js';
import { reduce, reshape, slice, transpose } from './forms.js';
import type { Backward, Operators, OperatorGraph } from './operator.js';
import {
  type Window,
  gatherAttributes,
  rejectSpatialAxes,
  spreadAttributes,
  spreadWindowOf,
  windowOf,
} from './window.js';

const NOTE =
  '1 or 2 spatial axes; the weights’ gradient is a convolution of the input with the gradient as its kernel';

export const convolutions: Operators = {
  Conv: {
    shapes: ({ node, inputs: [x = [], w = []] }) => {
      const group = integer(node, 'group', 1);
      if (x.length < 3 || w.length !== x.length || x[1] !== w[1]! * group || w[0]! % group !== 0)
        rejectWeights(x, w, group);
      return [[x[0]!, w[0]!, ...windowOf(node, x.slice(2), w.slice(2)).output]];
    },
    note: NOTE,
    backward: (context) => {
      const { graph, node, gradient, isNeeded } = context;
      const [x, w] = node.input as [string, string];
      const kernel = graph.shape(w).slice(2);
      rejectSpatialAxes(kernel);
      const window = windowOf(node, graph.shape(x).slice(2), kernel);
      const group = integer(node, 'group', 1);
      return [
        isNeeded(0)
          ? graph.add('ConvTranspose', [gradient, w], { ...spreadAttributes(window), group })
          : undefined,
        isNeeded(1) ? weightsGradient(graph, { x, gradient, window, group }) : undefined,
        biasGradient(context),
      ];
    },
  },
  ConvTranspose: {
    shapes: ({ node, inputs: [x = [], w = []] }) => {
      const group = integer(node, 'group', 1);
      if (x.length < 3 || w.length !== x.length || x[1] !== w[0] || w[0]! % group !== 0)
        rejectWeights(x, w, group);
      return [[x[0]!, w[1]! * group, ...spreadWindowOf(node, x.slice(2), w.slice(2)).input]];
    },
    note: NOTE,
    // A convolution's backward pass, backwards: the gradient stands where its input was, and the input where its gradient was.
    backward: (context) => {
      const { graph, node, gradient, isNeeded } = context;
      const [x, w] = node.input as [string, string];
      const kernel = graph.shape(w).slice(2);
      rejectOutputPadding(node, kernel);
      rejectSpatialAxes(kernel);
      const window = spreadWindowOf(node, graph.shape(x).slice(2), kernel);
      const group = integer(node, 'group', 1);
      return [
        isNeeded(0) ? graph.add('Conv', [gradient, w], { ...gatherAttributes(window), group }) : undefined,
        isNeeded(1) ? weightsGradient(graph, { x: gradient, gradient: x, window, group }) : undefined,
        biasGradient(context),
      ];
    },
  },
};

/** Beyond a stride, the windows of the gradient would be more than those that were spread. */
function rejectOutputPadding(node: Backward['node'], kernel: Shape): void {
  const strides = integers(node, 'strides') ?? kernel.map(() => 1);
  const extra = integers(node, 'output_padding') ?? kernel.map(() => 0);
  if (extra.every((count, k) => count < strides[k]!)) return;
  throw new Error(
    `its output_padding ${showShape(extra)} must be less than its strides ${showShape(strides)}, for ONNX Runtime, too.`,
  );
}

function rejectWeights(x: Shape, w: Shape, group: number): never {
  throw new Error(
    `its input ${showShape(x)} and weights ${showShape(w)} do not go together in ${group} group(s).`,
  );
}

/** The sum over the batch and all places. */
function biasGradient({ graph, node, gradient, isNeeded }: Backward): string | undefined {
  if (!isNeeded(2)) return undefined;
  const axes = range(graph.shape(node.input![0]!).length).filter((axis) => axis !== 1);
  return reduce(graph, 'ReduceSum', gradient, axes, 0);
}

/**
 * The gradient of weights [O, C/G, …]: each is a sum over the batch and all windows, of the gradient times the element that
 * the weight met there. That is a convolution in which batch and channels change places, the gradient is the kernel, and
 * strides and dilations change places, too. Of the channels of a group, one is a row of the batch.
 */
function weightsGradient(
  graph: OperatorGraph,
  { x, gradient, window, group }: { x: string; gradient: string; window: Window; group: number },
): string {
  const [batch, channels, ...spatial] = graph.shape(x) as [number, number, ...number[]];
  const { strides, dilations, kernel, output } = window;
  const places = range(spatial.length);
  const perGroup = channels / group;
  const grouped = reshape(graph, x, [batch, group, perGroup, ...spatial]);
  const turned = transpose(graph, grouped, [2, 1, 0, ...places.map((k) => k + 3)]);
  const rows = reshape(graph, turned, [perGroup, group * batch, ...spatial]);
  const swap = [1, 0, ...places.map((k) => k + 2)];
  const full = graph.add('Conv', [rows, transpose(graph, gradient, swap)], {
    ...gatherAttributes(window),
    kernel_shape: output,
    strides: dilations,
    dilations: strides,
    group,
  });
  // Elements that no window reaches would make more places than the kernel has.
  const isFull = kernel.every((size, k) => graph.shape(full)[k + 2] === size);
  const kept = isFull
    ? full
    : slice(graph, full, { starts: places.map(() => 0), ends: [...kernel], axes: places.map((k) => k + 2) });
  return transpose(graph, kept, swap);
}
