import type { Rule } from '../../../src/index.js';
import { valuesByteLength } from '../../../src/codecs/codec.js';
import { layoutOf } from '../../../src/kernel/rule-layout.js';
import { withSettings } from '../../../src/rules/rule.js';
import { FLOATS, type ModelDtypes, entryByteLength } from './dtypes.js';
import {
  FEATURES,
  type GradientMode,
  type GridShape,
  type Level,
  firstSparseLevel,
  layOutLevels,
} from './levels.js';

/** Everything that decides the model's size and work, but no values. */
export interface ModelShape {
  /** Of the picture, in pixels. */
  readonly width: number;
  readonly height: number;
  readonly grid: GridShape;
  /** Width of the network's two hidden layers; a multiple of 4. */
  readonly hidden: number;
  /** Pixels per step; a power of two ≥ 64. Painting goes by tiles of as many. */
  readonly batch: number;
  readonly gradients: GradientMode;
}

/** A layer of the network. */
export interface LayerShape {
  readonly inputs: number;
  readonly outputs: number;
  /** Whether a rectifier follows. */
  readonly isRectified: boolean;
}

/** What follows from a shape; pure. */
export interface ModelPlan {
  readonly shape: ModelShape;
  readonly levels: readonly Level[];
  /** Levels before it are in the dense table, it and later ones in the sparse table. */
  readonly firstSparse: number;
  /** Per level, its first entry in its table. */
  readonly firstEntries: readonly number[];
  /** Entries of each table. */
  readonly denseEntries: number;
  readonly sparseEntries: number;
  /** Entries (row, value) of the sparse gradient. */
  readonly gradientEntries: number;
  readonly layers: readonly LayerShape[];
  /** Weights of tables and network. */
  readonly parameterCount: number;
}

/** The output layer computes in fours: red, green, blue, and one that no loss asks for. */
const OUTPUTS = 4;

/** Lays the model out. */
export function planModel(shape: ModelShape): ModelPlan {
  const { width, height, grid, hidden, batch, gradients } = shape;
  const levels = layOutLevels(grid, width, height);
  const firstSparse = firstSparseLevel(levels, batch, gradients);
  const entries = [0, 0];
  const firstEntries = levels.map(({ entryCount }, l) => {
    const table = l < firstSparse ? 0 : 1;
    const first = entries[table]!;
    entries[table] = first + entryCount;
    return first;
  });
  const [denseEntries, sparseEntries] = entries as [number, number];
  const features = FEATURES * levels.length;
  const layers: LayerShape[] = [
    { inputs: features, outputs: hidden, isRectified: true },
    { inputs: hidden, outputs: hidden, isRectified: true },
    { inputs: hidden, outputs: OUTPUTS, isRectified: false },
  ];
  const networkCount = layers.reduce((sum, { inputs, outputs }) => sum + (inputs + 1) * outputs, 0);
  return {
    shape,
    levels,
    firstSparse,
    firstEntries,
    denseEntries,
    sparseEntries,
    gradientEntries: 4 * batch * (levels.length - firstSparse),
    layers,
    parameterCount: FEATURES * (denseEntries + sparseEntries) + networkCount,
  };
}

/** Bytes on the GPU, by what they are for. */
export interface ModelBytes {
  readonly parameters: number;
  /** Of the loss with respect to the parameters, with what it takes to sum them. */
  readonly gradients: number;
  /** The optimizer's. */
  readonly state: number;
}

/**
 * Bytes of parameters, gradients and optimizer state; what a batch takes between the layers is not among them.
 */
export function bytesOf(plan: ModelPlan, rule: Rule, { weights, state }: ModelDtypes = FLOATS): ModelBytes {
  const { slots } = layoutOf(withSettings(rule, { stateDtype: state }));
  const entries = plan.denseEntries + plan.sparseEntries;
  const dense = plan.parameterCount - FEATURES * plan.sparseEntries;
  // Per entry: row and value; for the engine's sum of rows, another of both, and two lists of pairs to sort.
  const perEntry = 4 + 4 * FEATURES + 4 * FEATURES + 4 + 16;
  return {
    parameters: 4 * (plan.parameterCount - FEATURES * entries) + entryByteLength(weights) * entries,
    gradients: 4 * dense + 4 * FEATURES * plan.denseEntries + perEntry * plan.gradientEntries,
    state: slots.reduce((sum, { codec }) => sum + valuesByteLength(codec, plan.parameterCount), 0),
  };
}

/** The device limits that a model has to keep to. */
export interface ModelLimits {
  readonly maxBufferSize: number;
  readonly maxStorageBufferBindingSize: number;
}

/**
 * Why a device cannot hold a model, in a sentence; undefined if its limits allow it. Memory is another matter: only
 * allocating tells.
 */
export function reasonAgainst(plan: ModelPlan, limits: ModelLimits): string | undefined {
  const most = Math.min(limits.maxBufferSize, limits.maxStorageBufferBindingSize);
  const entries = Math.max(plan.denseEntries, plan.sparseEntries, plan.gradientEntries);
  const needed = Math.max(
    4 * FEATURES * entries,
    4 * plan.shape.batch * Math.max(...plan.layers.flatMap(({ inputs, outputs }) => [inputs, outputs])),
  );
  if (needed <= most) return undefined;
  return `it takes a buffer of ${megabytes(needed)}; this device binds at most ${megabytes(most)}`;
}

/** Bytes for people: `28 MB`, `1.2 GB`; powers of ten. */
export function megabytes(bytes: number): string {
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(bytes >= 1e10 ? 0 : 1)} GB`;
  return `${(bytes / 1e6).toFixed(bytes >= 1e7 ? 0 : 1)} MB`;
}

/** A number of parameters for people: `34,948`, `28.5 M`. */
export function millions(count: number): string {
  if (count < 1e6) return count.toLocaleString('en');
  return `${(count / 1e6).toFixed(count < 1e8 ? 1 : 0)} M`;
}
