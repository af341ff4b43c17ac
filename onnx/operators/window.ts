/** Windows that move over the spatial axes of a tensor [N, C, …], in convolutions and pooling. */
import type { onnx } from 'onnx-proto';
import { type Shape, showShape } from '../tensor.js';
import { integers, isSet, range, text } from './attributes.js';
import type { Attributes } from './operator.js';

/** Where windows lie along each spatial axis: element k of window i is element i·stride − begin + k·dilation. */
export interface Window {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Elements of padding in front, and behind as the node has it. */
  readonly begins: readonly number[];
  readonly ends: readonly number[];
  /** What they move over, and how many there are. */
  readonly input: readonly number[];
  readonly output: readonly number[];
  /** Whether windows are left out that `ceil_mode` would begin in the padding behind. */
  readonly isCut: boolean;
}

/** Elements from a window's first to its last. */
const spanOf = (kernel: number, dilation: number): number => (kernel - 1) * dilation + 1;

/** Attributes that say how windows move, with those that a node leaves out. */
function movesOf(node: onnx.INodeProto, rank: number) {
  const ones = range(rank).map(() => 1);
  return {
    strides: integers(node, 'strides') ?? ones,
    dilations: integers(node, 'dilations') ?? ones,
    pads: integers(node, 'pads') ?? range(2 * rank).map(() => 0),
    auto: text(node, 'auto_pad', 'NOTSET'),
  };
}

/** The windows of a convolution or a pooling over `input`. */
export function windowOf(node: onnx.INodeProto, input: Shape, kernel: readonly number[]): Window {
  const { strides, dilations, pads, auto } = movesOf(node, kernel.length);
  const isCeil = isSet(node, 'ceil_mode');
  const axes = input.map((size, k) => {
    const [stride, span] = [strides[k]!, spanOf(kernel[k]!, dilations[k]!)];
    if (auto.startsWith('SAME')) {
      const output = Math.ceil(size / stride);
      const padding = Math.max(0, (output - 1) * stride + span - size);
      const begin = auto === 'SAME_LOWER' ? Math.ceil(padding / 2) : Math.floor(padding / 2);
      return { begin, end: padding - begin, output, isCut: false };
    }
    const [begin, end] = auto === 'VALID' ? [0, 0] : [pads[k]!, pads[k + kernel.length]!];
    const steps = (size + begin + end - span) / stride;
    const count = (isCeil ? Math.ceil(steps) : Math.floor(steps)) + 1;
    // A window that begins in the padding behind is left out, as PyTorch has it.
    const isCut = isCeil && (count - 1) * stride >= size + begin;
    return { begin, end, output: isCut ? count - 1 : count, isCut };
  });
  if (axes.some(({ output }) => output < 1))
    throw new Error(`its windows of ${showShape(kernel)} do not fit into ${showShape(input)}.`);
  return {
    kernel,
    strides,
    dilations,
    begins: axes.map(({ begin }) => begin),
    ends: axes.map(({ end }) => end),
    input,
    output: axes.map(({ output }) => output),
    isCut: axes.some(({ isCut }) => isCut),
  };
}

/** The windows that a transposed convolution spreads `output`'s elements over; what they move over is its result. */
export function spreadWindowOf(node: onnx.INodeProto, output: Shape, kernel: readonly number[]): Window {
  const { strides, dilations, pads, auto } = movesOf(node, kernel.length);
  const extra = integers(node, 'output_padding') ?? kernel.map(() => 0);
  const wanted = integers(node, 'output_shape')?.slice(-kernel.length);
  const axes = output.map((count, k) => {
    const full = (count - 1) * strides[k]! + extra[k]! + spanOf(kernel[k]!, dilations[k]!);
    const size = wanted?.[k] ?? (auto.startsWith('SAME') ? count * strides[k]! : undefined);
    if (size === undefined) {
      const [begin, end] = auto === 'VALID' ? [0, 0] : [pads[k]!, pads[k + kernel.length]!];
      return { begin, end, size: full - begin - end };
    }
    const padding = Math.max(0, full - size);
    const begin = auto === 'SAME_UPPER' ? Math.floor(padding / 2) : Math.ceil(padding / 2);
    return { begin, end: padding - begin, size };
  });
  return {
    kernel,
    strides,
    dilations,
    begins: axes.map(({ begin }) => begin),
    ends: axes.map(({ end }) => end),
    input: axes.map(({ size }) => size),
    output,
    isCut: false,
  };
}

/** For each axis, the elements behind the input that the last window reaches; negative, those that none reaches. */
function overhang({ kernel, strides, dilations, begins, input, output }: Window): number[] {
  return input.map(
    (size, k) => (output[k]! - 1) * strides[k]! + spanOf(kernel[k]!, dilations[k]!) - begins[k]! - size,
  );
}

/** Attributes of a Conv with these windows. */
export function gatherAttributes(window: Window): Attributes {
  const { kernel, strides, dilations, begins } = window;
  const ends = overhang(window).map((count) => Math.max(0, count));
  return { kernel_shape: kernel, strides, dilations, pads: [...begins, ...ends] };
}

/** Attributes of a ConvTranspose that adds each window's numbers to the elements that it lies over. */
export function spreadAttributes(window: Window): Attributes {
  const left = overhang(window).map((count) => Math.max(0, -count));
  return { ...gatherAttributes(window), output_padding: left };
}

/** How many elements each window covers, of all windows in a row; those of the padding count if `withPadding`. */
export function coverage(window: Window, withPadding: boolean): number[] {
  const { kernel, strides, dilations, begins, ends, input, output } = window;
  const counts = output.map((count, axis) =>
    range(count).map((i) => {
      const covered = range(kernel[axis]!).filter((k) => {
        const place = i * strides[axis]! - begins[axis]! + k * dilations[axis]!;
        return withPadding ? place < input[axis]! + ends[axis]! : place >= 0 && place < input[axis]!;
      });
      return covered.length;
    }),
  );
  return counts.reduce((rows, axis) => rows.flatMap((row) => axis.map((count) => row * count)), [1]);
}

/** Places of a window's elements, the last axis fastest: for each, one list of offsets along the axes. */
export function placesOf(kernel: readonly number[]): number[][] {
  return kernel.reduce<number[][]>(
    (places, size) => places.flatMap((place) => range(size).map((k) => [...place, k])),
    [[]],
  );
}

/** @throws Error if there are more spatial axes than ONNX Runtime spreads windows over on WebGPU. */
export function rejectSpatialAxes(kernel: readonly number[]): void {
  if (kernel.length > 2) {
    throw new Error(
      `it has ${kernel.length} spatial axes; gradients are known for 1 and 2, for ONNX Runtime has no transposed convolution of more on WebGPU.`,
    );
  }
}
