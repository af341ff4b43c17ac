/** Normalization, by statistics that are given or those of the numbers themselves. */
import type { Shape } from '../tensor.js';
import { axisOf, float, integer, range } from './attributes.js';
import { likeFirst, sumTo } from './broadcast.js';
import { product, reduce, reshape } from './forms.js';
import { BOOL, type Backward, type Operators } from './operator.js';

export const normalizations: Operators = {
  BatchNormalization: {
    shapes: ({ inputs: [x = [], channels = []] }) => [x, channels, channels, channels, channels],
    note: 'by the running statistics, as it is exported for inference: scale and bias are trained, the statistics stay as they are; with `training_mode` by those of the batch, which ONNX Runtime does on the CPU alone, and what it makes of the running ones is dropped',
    backward: (context) => {
      const { graph, node } = context;
      const [x, , , mean, variance] = node.input as [string, string, string, string, string];
      const shape = graph.shape(x);
      // One number for each channel, in an axis of its own.
      const channel = shape.map((size, axis) => (axis === 1 ? size : 1));
      if (context.isNeeded(3) || context.isNeeded(4))
        throw new Error('its running mean and variance are no weights; leave them out of those to train.');
      if (integer(node, 'training_mode', 0) === 1) {
        const axes = range(shape.length).filter((axis) => axis !== 1);
        return normalizedGradients(context, { axes, scaleShape: channel });
      }
      const inverse = inverseDeviation(context, reshape(graph, variance, channel));
      const deviation = graph.add('Sub', [x, reshape(graph, mean, channel)]);
      return scaledGradients(context, channel, {
        normal: () => product(graph, deviation, inverse),
        ofX: (gradient) => product(graph, gradient, inverse),
      });
    },
  },
  LayerNormalization: {
    shapes: ({ node, inputs: [x = []] }) => {
      const axis = axisOf(integer(node, 'axis', -1), x.length);
      const kept = x.map((size, k) => (k < axis ? size : 1));
      return [x, kept, kept];
    },
    backward: (context) => {
      const { graph, node } = context;
      const rank = graph.shape(node.input![0]!).length;
      const axes = range(rank).slice(axisOf(integer(node, 'axis', -1), rank));
      return normalizedGradients(context, { axes, scaleShape: graph.shape(node.input![1]!) });
    },
  },
  InstanceNormalization: {
    shapes: likeFirst,
    note: 'with Reshape, this is how group normalization is exported',
    backward: (context) => {
      const { graph, node } = context;
      const shape = graph.shape(node.input![0]!);
      const scaleShape = shape.map((size, axis) => (axis === 1 ? size : 1));
      return normalizedGradients(context, { axes: range(shape.length).slice(2), scaleShape });
    },
  },
  Dropout: {
    shapes: ({ inputs: [x = []] }) => [x, x],
    types: ({ graph, node }) => [graph.elementType(node.input![0]!), BOOL],
    note: 'as in inference, where it leaves all as it is; `training_mode` is refused, for ONNX Runtime draws on the CPU alone',
    backward: ({ graph, node, gradient }) => {
      const mode = node.input![2];
      if (mode && graph.integers(mode)?.[0] !== 0)
        throw new Error('its training_mode is on; export the model for inference.');
      return [gradient];
    },
  },
};

/** 1/√(variance + ε), as the node has it. */
function inverseDeviation({ graph, node }: Pick<Backward, 'graph' | 'node'>, variance: string): string {
  const epsilon = graph.constant(float(node, 'epsilon', 1e-5));
  return graph.add('Reciprocal', [graph.add('Sqrt', [graph.add('Add', [variance, epsilon])])]);
}

/** Of y = scale · normal(x) + bias, with scale and bias seen as tensors of `scaleShape`. */
function scaledGradients(
  { graph, node, gradient, isNeeded }: Backward,
  scaleShape: Shape,
  { normal, ofX }: { normal: () => string; ofX: (gradient: string) => string },
): (string | undefined)[] {
  const [, scale] = node.input as [string, string];
  const sum = (value: string, k: number): string =>
    reshape(graph, sumTo(graph, value, scaleShape), graph.shape(node.input![k]!));
  return [
    isNeeded(0) ? ofX(product(graph, gradient, reshape(graph, scale, scaleShape))) : undefined,
    isNeeded(1) ? sum(product(graph, gradient, normal()), 1) : undefined,
    isNeeded(2) ? sum(gradient, 2) : undefined,
  ];
}

/**
 * Where mean and variance are those of the numbers over some axes: with n the normalized numbers and g the gradient with
 * respect to them, that of the input is (g − mean g − n · mean(g n)) / deviation. Nothing is kept from the forward pass.
 */
function normalizedGradients(
  context: Backward,
  { axes, scaleShape }: { axes: readonly number[]; scaleShape: Shape },
): (string | undefined)[] {
  const { graph, node } = context;
  const [x] = node.input as [string];
  const mean = (value: string): string => reduce(graph, 'ReduceMean', value, axes, 1);
  const deviation = graph.add('Sub', [x, mean(x)]);
  const inverse = inverseDeviation(context, mean(product(graph, deviation, deviation)));
  const n = product(graph, deviation, inverse);
  return scaledGradients(context, scaleShape, {
    normal: () => n,
    ofX: (gradient) => {
      const level = graph.add('Sub', [gradient, mean(gradient)]);
      const tilt = product(graph, n, mean(product(graph, gradient, n)));
      return product(graph, graph.add('Sub', [level, tilt]), inverse);
    },
  });
}
