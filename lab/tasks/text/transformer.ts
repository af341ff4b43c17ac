import * as tf from '@tensorflow/tfjs-core';
import { createRandom, sampleNormals } from '../../random.js';
import { meanCrossEntropy, type Model, type VariableFactory } from '../task.js';

/** The size of a transformer. */
export interface TransformerConfig {
  /** Number of different characters. */
  readonly vocabularySize: number;
  /** The most characters it looks at. */
  readonly contextLength: number;
  readonly layerCount: number;
  /** Features per character; a multiple of `headCount`. */
  readonly width: number;
  readonly headCount: number;
}

/** The hidden layer after attention is this much wider than the stream. */
const EXPANSION = 4;
/** Beside the mean of squares, for a row of zeros. */
const NORM_EPS = 1e-5;
/** Added to scores of characters yet to come: e to the power of it is 0 in float32. */
const MASKED = -1e9;
/** Small, so that the first guess is nearly uniform and the first loss nearly ln(vocabularySize). */
const OUTPUT_DEVIATION = 0.02;
/** What is added to a character says where it stands; it must not hide which one it is. */
const POSITION_DEVIATION = 0.3;

/**
 * A character-level transformer: it predicts the next character from those before it.
 *
 * Pre-norm blocks as in GPT-2 (Radford et al. 2019), with RMSNorm (Zhang & Sennrich 2019) and relu and without biases:
 * x += attention(norm(x)); x += relu(norm(x)·U)·D. Positions are learned. Characters start with unit deviation, so that the layers add to
 * the stream rather than drown it; other weights are normal with deviation 1/√inputs, those
 * that write into the stream divided by √(2·layers). It has 4 + 8·layers tensors.
 *
 * Its `inputs` are character numbers, int32 of shape [rows, length] with length ≤ `contextLength`; its logits have shape
 * [rows·length, vocabularySize]. Embedding is a product with one-hot rows: the gradient of a gather adds in no fixed order.
 *
 * @param createVariable makes its tensors; plain variables of tfjs without it, which the caller disposes.
 * @throws Error when `width` is no multiple of `headCount`.
 */
export function createTransformer(
  seed: number,
  config: TransformerConfig,
  createVariable: VariableFactory = (_name, shape, values) => tf.variable(tf.tensor(values, [...shape])),
): Model {
  const { vocabularySize, contextLength, layerCount, width, headCount } = config;
  if (width % headCount !== 0) {
    throw new Error(`The width ${width} is no multiple of ${headCount} heads.`);
  }
  const random = createRandom(seed);
  const variables: tf.Variable[] = [];
  const create = (name: string, shape: readonly number[], values: Float32Array<ArrayBuffer>): tf.Tensor => {
    const variable = createVariable(name, shape, values);
    variables.push(variable);
    return variable;
  };
  const matrix = (name: string, rows: number, columns: number, deviation: number): tf.Tensor2D =>
    create(name, [rows, columns], sampleNormals(random, rows * columns, deviation)) as tf.Tensor2D;
  const gain = (name: string): tf.Tensor => create(name, [width], new Float32Array(width).fill(1));

  const inner = 1 / Math.sqrt(width);
  const outer = 1 / Math.sqrt(2 * layerCount);
  const characters = matrix('characters', vocabularySize, width, 1);
  const positions = matrix('positions', contextLength, width, POSITION_DEVIATION);
  const layers = Array.from({ length: layerCount }, (_, layer) => ({
    attentionGain: gain(`${layer}.attention.gain`),
    query: matrix(`${layer}.query`, width, width, inner),
    key: matrix(`${layer}.key`, width, width, inner),
    value: matrix(`${layer}.value`, width, width, inner),
    mix: matrix(`${layer}.mix`, width, width, inner * outer),
    hiddenGain: gain(`${layer}.hidden.gain`),
    up: matrix(`${layer}.up`, width, EXPANSION * width, inner),
    down: matrix(`${layer}.down`, EXPANSION * width, width, (inner * outer) / Math.sqrt(EXPANSION)),
  }));
  const outputGain = gain('output.gain');
  const output = matrix('output', width, vocabularySize, OUTPUT_DEVIATION);
  const mask = tf.tidy(() => tf.keep(tf.tensor2d(maskOf(contextLength), [contextLength, contextLength])));

  const attend = (stream: tf.Tensor2D, layer: (typeof layers)[number], length: number): tf.Tensor => {
    const rows = stream.shape[0] / length;
    const normed = normalize(stream, layer.attentionGain);
    const heads = (weights: tf.Tensor2D): tf.Tensor4D =>
      tf.transpose(
        tf.reshape(tf.matMul(normed, weights), [rows, length, headCount, width / headCount]),
        [0, 2, 1, 3],
      );
    const scale = Math.sqrt(headCount / width);
    const scores = tf.mul(tf.matMul(heads(layer.query), heads(layer.key), false, true), scale);
    const visible = length === contextLength ? mask : tf.slice(mask, [0, 0], [length, length]);
    const seen = tf.matMul(tf.softmax(tf.add(scores, visible)), heads(layer.value));
    const joined = tf.reshape(tf.transpose(seen, [0, 2, 1, 3]), [rows * length, width]);
    return tf.matMul(joined, layer.mix);
  };

  const logits = (inputs: tf.Tensor): tf.Tensor2D =>
    tf.tidy(() => {
      const [rows, length] = inputs.shape as [number, number];
      const oneHot = tf.oneHot(tf.reshape(inputs, [rows * length]), vocabularySize, 1, 0, 'float32');
      const placed = tf.add(
        tf.reshape(tf.matMul(oneHot, characters), [rows, length, width]),
        length === contextLength ? positions : tf.slice(positions, [0, 0], [length, width]),
      );
      let stream = tf.reshape(placed, [rows * length, width]) as tf.Tensor2D;
      for (const layer of layers) {
        stream = tf.add(stream, attend(stream, layer, length));
        const hidden = tf.relu(tf.matMul(normalize(stream, layer.hiddenGain), layer.up));
        stream = tf.add(stream, tf.matMul(hidden, layer.down));
      }
      return tf.matMul<tf.Tensor2D>(normalize(stream, outputGain), output);
    });
  return {
    variables,
    logits,
    loss: ({ inputs, targets }) => tf.tidy(() => meanCrossEntropy(logits(inputs), targets)),
    dispose: () => mask.dispose(),
  };
}

/** RMSNorm: x / √(mean(x²) + ε), times a gain per feature. */
function normalize(x: tf.Tensor2D, gain: tf.Tensor): tf.Tensor2D {
  const scale = tf.rsqrt(tf.add(tf.mean(tf.square(x), 1, true), NORM_EPS));
  return tf.mul(tf.mul(x, scale), gain);
}

/** What is added to the score that row i gives to character j: nothing up to j = i, much less than nothing beyond. */
function maskOf(length: number): Float32Array {
  return Float32Array.from({ length: length ** 2 }, (_, at) =>
    at % length > Math.floor(at / length) ? MASKED : 0,
  );
}
