/** The largest and the mean of windows. */
import { elementCount } from '../tensor.js';
import { integers, isSet, range } from './attributes.js';
import { atLeast, equal, expand, reduce, reshape, scale, select } from './forms.js';
import { type Backward, type Forward, FLOAT, INT64, type Operators } from './operator.js';
import {
  type Window,
  coverage,
  gatherAttributes,
  placesOf,
  rejectSpatialAxes,
  spreadAttributes,
  windowOf,
} from './window.js';

/** ONNX's own rule for shapes counts windows that begin in the padding until then; what runs them does not. */
const FIRST_TO_CUT = 22;

function poolShape({ graph, node, inputs: [x = []] }: Forward): readonly number[] {
  const { output, isCut } = windowOf(node, x.slice(2), integers(node, 'kernel_shape') ?? []);
  if (!isCut || graph.opset >= FIRST_TO_CUT) return [...x.slice(0, 2), ...output];
  throw new Error(
    `by its ceil_mode the last window begins in the padding, and below opset ${FIRST_TO_CUT} ONNX Runtime counts that one or not; ` +
      `export the model with opset ${FIRST_TO_CUT}, or with ceil_mode=False.`,
  );
}

const globalShape = ({ inputs: [x = []] }: Forward): readonly number[] =>
  x.map((size, axis) => (axis < 2 ? size : 1));

export const pooling: Operators = {
  MaxPool: {
    shapes: (forward) => [poolShape(forward), poolShape(forward)],
    types: () => [FLOAT, INT64],
    note: '1 or 2 spatial axes; of ties the first, as PyTorch has it; the gradient writes all windows out, as many times the result as a window has elements',
    /*
     * All windows are written out by a convolution with kernels of a single 1, and compared with the result. The first that
     * equals it gets the gradient, which a transposed convolution with the same kernels adds where it came from.
     */
    backward: (context) => {
      const { graph, node, gradient } = context;
      const { window, planes, spread } = alone(context);
      const { kernel, output } = window;
      const places = placesOf(kernel);
      const count = places.length;
      const picks = new Float32Array(count * count);
      for (let k = 0; k < count; k++) picks[k * count + k] = 1;
      const kernels = graph.constant({ dims: [count, 1, ...kernel], data: picks });
      const largest = reshape(graph, node.output![0]!, [planes, 1, ...output]);
      const x = reshape(graph, node.input![0]!, [planes, 1, ...window.input]);
      const windows = graph.add('Conv', [x, kernels], gatherAttributes(window));
      const ranks = graph.constant({ dims: [1, count, ...output], data: ranksOf(window, places) });
      const candidates = select(graph, atLeast(graph, windows, largest), ranks);
      const first = reduce(graph, 'ReduceMax', candidates, [1], 1);
      return [
        spread(
          select(graph, equal(graph, candidates, first), reshape(graph, gradient, [planes, 1, ...output])),
          kernels,
        ),
      ];
    },
  },
  AveragePool: {
    shapes: (forward) => [poolShape(forward)],
    note: '1 or 2 spatial axes',
    backward: (context) => {
      const { graph, node, gradient } = context;
      const { window, planes, spread } = alone(context);
      const { kernel, output } = window;
      const data = Float32Array.from(
        coverage(window, isSet(node, 'count_include_pad')),
        (count) => 1 / count,
      );
      const shares = graph.constant({ dims: [1, 1, ...output], data });
      const ones = new Float32Array(elementCount(kernel)).fill(1);
      const kernels = graph.constant({ dims: [1, 1, ...kernel], data: ones });
      return [spread(graph.add('Mul', [reshape(graph, gradient, [planes, 1, ...output]), shares]), kernels)];
    },
  },
  GlobalAveragePool: {
    shapes: (forward) => [globalShape(forward)],
    backward: ({ graph, node, gradient }) => {
      const shape = graph.shape(node.input![0]!);
      return [expand(graph, scale(graph, gradient, 1 / elementCount(shape.slice(2))), shape)];
    },
  },
  GlobalMaxPool: { shapes: (forward) => [globalShape(forward)] },
};

/** A pooling of planes, each by itself, and what adds windows' gradients [planes, K, …] to the planes, by kernels [K, 1, …]. */
function alone({ graph, node }: Backward): {
  window: Window;
  planes: number;
  spread: (windows: string, kernels: string) => string;
} {
  const shape = graph.shape(node.input![0]!);
  const kernel = integers(node, 'kernel_shape') ?? [];
  rejectSpatialAxes(kernel);
  const window = windowOf(node, shape.slice(2), kernel);
  const spread = (windows: string, kernels: string): string =>
    reshape(graph, graph.add('ConvTranspose', [windows, kernels], spreadAttributes(window)), shape);
  return { window, planes: elementCount(shape.slice(0, 2)), spread };
}

/** For each place in a window and each window: the more, the earlier; 0 in the padding, which is never the largest. */
function ranksOf(window: Window, places: readonly (readonly number[])[]): Float32Array<ArrayBuffer> {
  const { strides, dilations, begins, input, output } = window;
  const windows = placesOf(output);
  const isInside = (place: readonly number[], at: readonly number[]): boolean =>
    range(input.length).every((k) => {
      const element = at[k]! * strides[k]! - begins[k]! + place[k]! * dilations[k]!;
      return element >= 0 && element < input[k]!;
    });
  return Float32Array.from(
    places.flatMap((place, k) => windows.map((at) => (isInside(place, at) ? places.length - k : 0))),
  );
}
