/** The picture of demo/splats in float64: its loss and gradients, with bounds on what float32 makes of them. */

/** Floats of a splat, and where its parts begin, as demo/splats/shaders/splat.wgsl has them. */
export const SPLAT_LENGTH = 12;
/** Floats of a splat's gradients: colour, opacity, position, log_scale, rotation. */
export const GRADIENT_LENGTH = 10;

/** A picture's loss, and its derivatives by each number of the splats. */
export interface SplatTwin {
  readonly loss: number;
  readonly lossBound: number;
  readonly gradients: Float64Array;
  /** How far float32 may be from them. */
  readonly bounds: Float64Array;
  /** Whether in float32 each pixel is sure to see the splats that it sees here: none lies at the edge. */
  readonly isSure: boolean;
}

/** Half a unit in the last place of 1: what a rounding makes of a number, relative to it. */
const U = 2 ** -24;
/**
 * In units of U, by WGSL's accuracy table: exp(x) 6 + 4|x|, division 5. The axes come from exp of at most |2| and a division; an
 * offset is two products and a sum of them. The bell is exp of at most |4.5|, opacity 1 / (1 + exp) of at most |2|.
 */
const [AXES, OFFSET, BELL, OPACITY] = [19, 24, 24, 20];
const REACH = 3;
const FIXED = 2 ** 22;

interface Seen {
  readonly pixel: number;
  /** Opacity times bell, and its relative error. */
  readonly weight: number;
  readonly error: number;
  /** Offsets along the axes, and their errors. */
  readonly offset: readonly [number, number];
  readonly slack: readonly [number, number];
}

/** Computes it for splats as they lie in their buffer; |log_scale| and |opacity| are at most 2. */
export function splatTwin(
  splats: Float32Array,
  photo: Uint32Array,
  { width, height }: { readonly width: number; readonly height: number },
): SplatTwin {
  const count = splats.length / SPLAT_LENGTH;
  const pixels = width * height;
  const [sums, sizes] = [new Float64Array(3 * pixels), new Float64Array(3 * pixels)];
  let isSure = true;
  const all = Array.from({ length: count }, (_, k) => {
    const splat = partsOf(splats, k);
    const { seen, isSure: isSeenSurely } = pixelsOf(splat, width, height);
    isSure &&= isSeenSurely;
    for (const { pixel, weight, error } of seen) {
      splat.colour.forEach((value, c) => {
        sums[3 * pixel + c]! += weight * value;
        // What is added is also rounded to a multiple of 1 / FIXED.
        sizes[3 * pixel + c]! += Math.abs(weight * value) * error + 0.5 / FIXED;
      });
    }
    return { splat, seen };
  });
  const scale = 2 / (3 * pixels);
  const [derivatives, slacks] = [new Float64Array(3 * pixels), new Float64Array(3 * pixels)];
  let [loss, lossBound] = [0, 0];
  sums.forEach((value, i) => {
    const target = ((photo[Math.floor(i / 3)]! >>> (8 * (i % 3))) & 255) / 255;
    const difference = value - target;
    const slack = sizes[i]! + 4 * U * (Math.abs(value) + target);
    derivatives[i] = difference * scale;
    slacks[i] = slack * scale + 8 * U * Math.abs(difference * scale);
    loss += difference ** 2 / (3 * pixels);
    lossBound += (2 * Math.abs(difference) * slack + slack ** 2) / (3 * pixels);
  });
  // Its sum: over four pixels, a tile's invocations, tiles.
  lossBound += loss * U * (12 + 64 + 64);
  const gradients = new Float64Array(GRADIENT_LENGTH * count);
  const bounds = new Float64Array(GRADIENT_LENGTH * count);
  all.forEach(({ splat, seen }, k) => {
    const { values, errors } = gradientsOf(splat, seen, derivatives, slacks);
    gradients.set(values, GRADIENT_LENGTH * k);
    bounds.set(errors, GRADIENT_LENGTH * k);
  });
  return { loss, lossBound, gradients, bounds, isSure };
}

type Parts = ReturnType<typeof partsOf>;

function partsOf(splats: Float32Array, k: number) {
  const at = (i: number): number => splats[SPLAT_LENGTH * k + i]!;
  const deviations = [Math.exp(at(2)), Math.exp(at(3))] as const;
  const [cos, sin] = [at(4), at(5)];
  return {
    centre: [at(0), at(1)] as const,
    logScale: [at(2), at(3)] as const,
    rotation: [cos, sin] as const,
    axes: [cos / deviations[0], sin / deviations[0], -sin / deviations[1], cos / deviations[1]] as const,
    opacity: 1 / (1 + Math.exp(-at(6))),
    colour: [at(8), at(9), at(10)] as const,
  };
}

function pixelsOf({ axes, centre, opacity }: Parts, width: number, height: number) {
  const seen: Seen[] = [];
  let isSure = true;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [dx, dy] = [x + 0.5 - centre[0], y + 0.5 - centre[1]];
      const offset = [axes[0] * dx + axes[1] * dy, axes[2] * dx + axes[3] * dy] as const;
      const slack = [
        OFFSET * U * (Math.abs(axes[0] * dx) + Math.abs(axes[1] * dy)),
        OFFSET * U * (Math.abs(axes[2] * dx) + Math.abs(axes[3] * dy)),
      ] as const;
      const distance = offset[0] ** 2 + offset[1] ** 2;
      const distanceSlack =
        2 * (Math.abs(offset[0]) * slack[0] + Math.abs(offset[1]) * slack[1]) + 4 * U * distance;
      if (Math.abs(distance - REACH ** 2) <= distanceSlack) isSure = false;
      if (distance >= REACH ** 2) continue;
      const weight = opacity * Math.exp(-0.5 * distance);
      // Three products more.
      const error = (BELL + OPACITY + 3) * U + distanceSlack / 2;
      seen.push({ pixel: y * width + x, weight, error, offset, slack });
    }
  }
  return { seen, isSure };
}

/** A sum: its value, the magnitudes of what is added, and how far what is added may be from it. */
class Sum {
  value = 0;
  private size = 0;
  private slack = 0;
  private count = 0;

  add(value: number, slack: number, size = Math.abs(value)): void {
    this.value += value;
    this.size += size;
    this.slack += slack;
    this.count++;
  }

  /** With a few operations more behind the sum. */
  bound(operations: number): number {
    return this.slack + (this.count + operations) * U * this.size;
  }
}

function gradientsOf(
  { axes, logScale, rotation, opacity, colour }: Parts,
  seen: readonly Seen[],
  derivatives: Float64Array,
  slacks: Float64Array,
) {
  const byColour = [new Sum(), new Sum(), new Sum()];
  const [whole, first, second, square1, square2, mixed] = Array.from({ length: 6 }, () => new Sum()) as [
    Sum,
    Sum,
    Sum,
    Sum,
    Sum,
    Sum,
  ];
  for (const { pixel, weight, error, offset, slack } of seen) {
    let [share, shareSlack, shareSize] = [0, 0, 0];
    byColour.forEach((sum, c) => {
      const derivative = derivatives[3 * pixel + c]!;
      const weighted = weight * derivative;
      const weightedSlack = weight * slacks[3 * pixel + c]! + Math.abs(weighted) * error;
      sum.add(weighted, weightedSlack);
      share += weighted * colour[c]!;
      shareSlack += weightedSlack * Math.abs(colour[c]!);
      shareSize += Math.abs(weighted * colour[c]!);
    });
    const times = (sum: Sum, factor: number, factorSlack: number): void =>
      sum.add(
        share * factor,
        shareSlack * Math.abs(factor) + shareSize * (factorSlack + 8 * U * Math.abs(factor)),
        shareSize * Math.abs(factor),
      );
    const [a, b] = offset;
    times(whole, 1, 0);
    times(first, a, slack[0]);
    times(second, b, slack[1]);
    times(square1, a * a, 2 * Math.abs(a) * slack[0]);
    times(square2, b * b, 2 * Math.abs(b) * slack[1]);
    times(mixed, a * b, Math.abs(a) * slack[1] + Math.abs(b) * slack[0]);
  }
  const ratio = Math.exp(logScale[1] - logScale[0]);
  const turn = 1 / ratio - ratio;
  // exp of at most |4|, whose argument is rounded, too; a division, a difference.
  const turnSlack = (1 / ratio + ratio) * (22 + 4 + 5 + 2) * U;
  const angle = mixed.value * turn;
  const angleBound = mixed.bound(4) * Math.abs(turn) + (Math.abs(mixed.value) + mixed.bound(4)) * turnSlack;
  const along = (i: 0 | 1): [number, number] => [
    axes[i] * first.value + axes[i + 2]! * second.value,
    Math.abs(axes[i]) * first.bound(AXES + 4) + Math.abs(axes[i + 2]!) * second.bound(AXES + 4),
  ];
  // 1 − opacity: as far from it as opacity is.
  const opacityBound = whole.bound(4) * (1 - opacity) + Math.abs(whole.value) * OPACITY * U;
  const all: [number, number][] = [
    ...byColour.map((sum): [number, number] => [sum.value, sum.bound(4)]),
    [whole.value * (1 - opacity), opacityBound],
    along(0),
    along(1),
    [square1.value, square1.bound(2)],
    [square2.value, square2.bound(2)],
    [-rotation[1] * angle, Math.abs(rotation[1]) * (angleBound + 2 * U * Math.abs(angle))],
    [rotation[0] * angle, Math.abs(rotation[0]) * (angleBound + 2 * U * Math.abs(angle))],
  ];
  return { values: all.map(([value]) => value), errors: all.map(([, error]) => error) };
}
