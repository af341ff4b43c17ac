/** What decides a fit's size and course, but no values. */
export interface SplatShape {
  /** Of the picture, in pixels; at most 65,535 each. */
  readonly width: number;
  readonly height: number;
  /** Splats at the end. */
  readonly count: number;
  /** Steps in all. */
  readonly steps: number;
  /** Steps from one densification to the next. */
  readonly densifyEvery: number;
}

/** One densification. */
export interface Densification {
  /** It comes behind so many steps. */
  readonly step: number;
  readonly before: number;
  /** Splats that go, and that are split in two: all known here, so that nobody has to ask the GPU. */
  readonly pruned: number;
  readonly split: number;
  readonly after: number;
}

/** What follows from a shape; pure. */
export interface SplatPlan {
  readonly shape: SplatShape;
  /** Tiles across and down. */
  readonly tiles: readonly [number, number];
  readonly startCount: number;
  readonly densifications: readonly Densification[];
  /** Limits of a splat's standard deviations, in pixels. */
  readonly deviations: { readonly least: number; readonly start: number; readonly most: number };
  /** Tiles that a splat can reach, at most: room in the tiles' lists is made for as many each. */
  readonly tilesPerSplat: number;
}

/** Pixels of a tile's side, as shaders/splat.wgsl has it. */
export const TILE = 16;
/** Standard deviations that a splat is seen within, likewise. */
export const REACH = 3;

/** Densifications come in this part of the steps; then the splats settle. */
const DENSIFYING = 0.6;
/** From start to end splats become so many times as many, or by less where there are few densifications: */
const GROWTH = 4;
const GROWTH_PER_ROUND = 1.6;
/** This part of them goes in each. */
const PRUNED = 0.03;

/** Lays a fit out. */
export function planSplats(shape: SplatShape): SplatPlan {
  const { width, height, count, steps, densifyEvery } = shape;
  const rounds = Math.floor((DENSIFYING * steps) / densifyEvery);
  const growth = Math.min(GROWTH, GROWTH_PER_ROUND ** rounds);
  const startCount = Math.ceil(count / growth);
  const densifications: Densification[] = [];
  let before = startCount;
  for (let round = 1; round <= rounds; round++) {
    const after = round === rounds ? count : Math.round(startCount * growth ** (round / rounds));
    const pruned = Math.floor(PRUNED * before);
    const split = after - before + pruned;
    densifications.push({ step: round * densifyEvery, before, pruned, split, after });
    before = after;
  }
  const spacing = Math.sqrt((width * height) / startCount);
  const most = 3 * spacing;
  // A box of so many pixels, which may begin anywhere in a tile.
  const perSide = Math.ceil((2 * REACH * most + 1) / TILE) + 1;
  const tiles = [Math.ceil(width / TILE), Math.ceil(height / TILE)] as const;
  return {
    shape,
    tiles,
    startCount,
    densifications,
    deviations: { least: 0.3, start: 0.6 * spacing, most },
    tilesPerSplat: Math.min(perSide, tiles[0]) * Math.min(perSide, tiles[1]),
  };
}

/** The device limits that a fit has to keep to. */
export interface SplatLimits {
  readonly maxBufferSize: number;
  readonly maxStorageBufferBindingSize: number;
}

/** Why a device cannot hold a fit, in a sentence; undefined if its limits allow it. Memory is another matter: only allocating tells. */
export function reasonAgainst({ shape, tilesPerSplat }: SplatPlan, limits: SplatLimits): string | undefined {
  const most = Math.min(limits.maxBufferSize, limits.maxStorageBufferBindingSize);
  const needed = Math.max(4 * tilesPerSplat, SPLAT_BYTES) * roomFor(shape.count);
  if (needed <= most) return undefined;
  return `it takes a buffer of ${Math.ceil(needed / 1e6)} MB; this device binds at most ${Math.floor(most / 1e6)} MB`;
}

/** Bytes from one splat to the next, as shaders/splat.wgsl lays them out. */
export const SPLAT_BYTES = 48;

/** Splats that buffers are made for when there are so many: then a few more need no new ones. */
export function roomFor(count: number): number {
  return Math.ceil(1.5 * count);
}
