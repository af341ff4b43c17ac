/** Convolutions and pooling in float64, as the ONNX standard words them; see onnx-evaluate.ts. */
import { type Array64, add, each, fill, read } from './onnx-arrays.js';
import type { Given } from './onnx-evaluate.js';

/** Strides and so on of a node over some spatial axes, pads in front and behind, and how many windows there are. */
function windows({ integers, integer, word }: Given, size: readonly number[], kernel: readonly number[]) {
  const n = kernel.length;
  const strides = integers('strides') ?? kernel.map(() => 1);
  const dilations = integers('dilations') ?? kernel.map(() => 1);
  let pads = integers('pads') ?? [...kernel, ...kernel].map(() => 0);
  const auto = word('auto_pad', 'NOTSET');
  const reach = kernel.map((k, axis) => dilations[axis]! * (k - 1) + 1);
  if (auto === 'SAME_UPPER' || auto === 'SAME_LOWER') {
    const needed = size.map((length, axis) => {
      const out = Math.ceil(length / strides[axis]!);
      return Math.max(0, (out - 1) * strides[axis]! + reach[axis]! - length);
    });
    const less = needed.map((total) => Math.floor(total / 2));
    const more = needed.map((total) => Math.ceil(total / 2));
    pads = auto === 'SAME_UPPER' ? [...less, ...more] : [...more, ...less];
  }
  if (auto === 'VALID') pads = pads.map(() => 0);
  const isCeil = integer('ceil_mode', 0) === 1;
  const output = size.map((length, axis) => {
    // Windows that begin in the input or in front of it.
    let out = 0;
    const padded = length + pads[axis]! + pads[axis + n]!;
    for (let start = 0; ; start += strides[axis]!) {
      const fits = start + reach[axis]! <= padded;
      const hangs = isCeil && start < length + pads[axis]! && start - strides[axis]! + reach[axis]! < padded;
      if (!fits && !hangs) return out;
      out++;
    }
  });
  const place = (at: number, k: number, axis: number): number =>
    at * strides[axis]! + k * dilations[axis]! - pads[axis]!;
  return { output, place, pads, strides, dilations, reach };
}

const isInside = (at: readonly number[], size: readonly number[]): boolean =>
  at.every((place, axis) => place >= 0 && place < size[axis]!);

export function conv(given: Given): Array64 {
  const [x, w, b] = given.inputs as [Array64, Array64, Array64?];
  const group = given.integer('group', 1);
  const [kernel, size] = [w.dims.slice(2), x.dims.slice(2)];
  const { output, place } = windows(given, size, kernel);
  const perGroup = w.dims[0]! / group;
  return fill([x.dims[0]!, w.dims[0]!, ...output], ([n, o, ...at]) => {
    let total = b ? b.data[o!]! : 0;
    each(w.dims.slice(1), ([c, ...k]) => {
      const from = at.map((p, axis) => place(p, k[axis]!, axis));
      if (!isInside(from, size)) return;
      const channel = Math.floor(o! / perGroup) * w.dims[1]! + c!;
      total += read(x, [n!, channel, ...from]) * read(w, [o!, c!, ...k]);
    });
    return total;
  });
}

export function convTranspose(given: Given): Array64 {
  const [x, w, b] = given.inputs as [Array64, Array64, Array64?];
  const { integers, integer, word } = given;
  const group = integer('group', 1);
  const [kernel, size] = [w.dims.slice(2), x.dims.slice(2)];
  const { strides, dilations, reach, pads: own } = windows(given, size, kernel);
  const extra = integers('output_padding') ?? kernel.map(() => 0);
  const auto = word('auto_pad', 'NOTSET');
  const full = size.map((n, axis) => strides[axis]! * (n - 1) + extra[axis]! + reach[axis]!);
  const asked =
    integers('output_shape') ??
    (auto.startsWith('SAME') ? size.map((n, axis) => n * strides[axis]!) : undefined);
  let [begins, output] = [
    own.slice(0, kernel.length),
    full.map((n, axis) => n - own[axis]! - own[axis + kernel.length]!),
  ];
  if (asked) {
    const total = full.map((n, axis) => n - asked[axis]!);
    begins = total.map((n) => (auto === 'SAME_UPPER' ? Math.floor(n / 2) : n - Math.floor(n / 2)));
    output = [...asked];
  }
  const perGroup = w.dims[1]!;
  const y = fill([x.dims[0]!, perGroup * group, ...output], ([, o]) => (b ? b.data[o!]! : 0));
  each(x.dims, ([n, c, ...at], index) => {
    const inGroup = Math.floor(c! / (x.dims[1]! / group));
    each(w.dims.slice(1), ([o, ...k]) => {
      const to = at.map((p, axis) => p * strides[axis]! + k[axis]! * dilations[axis]! - begins[axis]!);
      if (isInside(to, output))
        add(y, [n!, inGroup * perGroup + o!, ...to], x.data[index]! * read(w, [c!, o!, ...k]));
    });
  });
  return y;
}

export function pool(given: Given): Array64 {
  const [x] = given.inputs as [Array64];
  const size = x.dims.slice(2);
  const kernel = given.integers('kernel_shape')!;
  const { output, place, pads } = windows(given, size, kernel);
  const isMean = given.opType === 'AveragePool';
  const isPadCounted = given.integer('count_include_pad', 0) === 1;
  return fill([...x.dims.slice(0, 2), ...output], ([n, c, ...at]) => {
    const numbers: number[] = [];
    let counted = 0;
    each(kernel, (k) => {
      const from = at.map((p, axis) => place(p, k[axis]!, axis));
      if (isInside(from, size)) numbers.push(read(x, [n!, c!, ...from]));
      if (from.every((p, axis) => p < size[axis]! + pads[axis + kernel.length]!)) counted++;
    });
    if (!isMean) return Math.max(...numbers);
    return numbers.reduce((a, b) => a + b, 0) / (isPadCounted ? counted : numbers.length);
  });
}
