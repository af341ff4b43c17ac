import {
  type NamedFactories,
  type RuleCase,
  combinedOptionCases,
  singleOptionCases,
} from './option-cases.js';
import { ruleFactories } from '../src/rules/registry.js';
import type { AverageOptions } from '../src/index.js';
import type { Clips } from './bounded-run.js';
import { type ParityResult, type TensorLayout, checkParity } from './parity.js';
import { Random } from './random.js';
import { type TableLayout, checkTableParity } from './table-parity.js';
import type { Track } from './track.js';

/**
 * One tensor for each way a kernel reaches its elements: in whole lanes of four or with some left over, at any place of data
 * and gradient among the four of a lane.
 */
const ALL_PATHS: readonly TensorLayout[] = [
  { length: 256, dataOffset: 0, gradOffset: 0 }, // whole lanes, in place
  { length: 257, dataOffset: 1, gradOffset: 3 }, // neither is, by different distances
  { length: 4099, dataOffset: 3, gradOffset: 3 }, // by the same distance
  { length: 4101, dataOffset: 0, gradOffset: 2 }, // the gradients are not
  { length: 62, dataOffset: 2, gradOffset: 0 }, // the weights are not
  { length: 3, dataOffset: 0, gradOffset: 0 }, // not one whole lane
];

/** Averages that rules are taken through in turn. */
const AVERAGES: readonly AverageOptions[] = [
  {},
  { lookahead: { every: 3, alpha: 0.5 } },
  { ema: { decay: 0.99, warmup: true, startStep: 2 } },
  { swa: { start: 2, period: 2 } },
];

/** How gradients are clipped: not at all, by value, both ways or one, or by norm; most are smaller, some are larger. */
const CLIPS: readonly Clips[] = [
  {},
  { minGradValue: -0.3, maxGradValue: 0.01 },
  { minGradValue: 1e-3 },
  { maxGradValue: 0.1 },
  { maxGradNormPerTensor: 0.3, maxGradValue: 0.1 },
];

/**
 * Which steps leave out which of the tensors of {@link ALL_PATHS}: never the first, and of the others some the first step,
 * some two in a row, and some together, so that tensors with one history and with several share dispatches.
 */
const isLeftOut = (step: number, tensor: number): boolean =>
  tensor > 0 && (2 * step + Math.floor(tensor / 2)) % 5 < 2;

/** A rule with some options, to be run against its reference on one device. */
export interface SuiteCase extends RuleCase {
  /** Runs it; `track` gets all that is to be destroyed afterwards. Rejects as `checkParity` does. */
  readonly check: (device: GPUDevice, track: Track, steps?: number) => Promise<ParityResult>;
}

/** Every rule with its options, against its reference. */
export interface ParitySuite {
  /** Each setting of each option by itself: 50 steps unless said otherwise, every path. */
  readonly single: readonly SuiteCase[];
  /** Settings combined: 20 steps unless said otherwise, aligned and not. */
  readonly combined: readonly SuiteCase[];
  /** Each rule with averages, clamped gradients, and steps that leave tensors out: 12 steps unless said otherwise, every path. */
  readonly leavingOut: readonly SuiteCase[];
  /** Each rule with averages over tables: masks, rates per column and constraints: 6 steps unless said otherwise. */
  readonly tables: readonly SuiteCase[];
}

/** What is said of tables, which rules are taken through in turn: columns of structs, and rows without gaps. */
const TABLES: readonly (readonly TableLayout[])[] = [
  [
    { rowLength: 3, dataGap: 0, gradGap: 1, masked: 0.3, isScaled: true },
    { rowLength: 4, constraint: 'unit-rows', masked: 0.3 },
  ],
  [
    { rowLength: 6, isScaled: true, constraint: { min: -0.5, max: 0.5 } },
    { rowLength: 5, dataGap: 2, constraint: 'unit-rows', isScaled: true },
  ],
  [
    { rowLength: 4, gradGap: 0, masked: 0.3 },
    { rowLength: 2, dataGap: 1, gradGap: 0, masked: 0.3, isScaled: true, constraint: { max: 0.2 } },
  ],
];

/**
 * The suite that all who prove run. The seed decides values and combinations.
 *
 * @param factories the rules; default all of the library's. Give your own, made with `defineRule`, to prove it.
 */
export function paritySuite(seed: number, factories: NamedFactories = ruleFactories): ParitySuite {
  return {
    single: singleOptionCases(factories).map((ruleCase, index) => ({
      ...ruleCase,
      check: (device, track, steps = 50) =>
        checkParity({
          device,
          track,
          rule: ruleCase.rule,
          random: new Random(seed + index),
          layouts: ALL_PATHS,
          oneBuffer: index % 2 === 1,
          steps,
          boundedElements: 64,
        }),
    })),
    combined: combinedOptionCases(new Random(seed), factories).map((ruleCase, index) => ({
      ...ruleCase,
      check: (device, track, steps = 20) =>
        checkParity({
          device,
          track,
          rule: ruleCase.rule,
          random: new Random(seed - index),
          layouts: ALL_PATHS.slice(0, 2),
          oneBuffer: false,
          steps,
          boundedElements: 32,
        }),
    })),
    tables: factories.map(([name, factory], index) => {
      const averages = AVERAGES[(seed + 2 * index) % AVERAGES.length]!;
      const tables = TABLES[(seed + index) % TABLES.length]!;
      const clip = (seed + index) % 4 === 0 ? { maxGradNormPerTensor: 0.3 } : {};
      const rule = factory();
      return {
        title: `${name}: tables ${JSON.stringify(tables)}, averages ${JSON.stringify(averages)}, ${JSON.stringify(clip)}`,
        rule,
        check: (device, track, steps = 6) =>
          checkTableParity({
            device,
            track,
            rule,
            averages,
            clip,
            tables,
            rowCount: 41,
            oneBuffer: (seed + index) % 2 === 0,
            skipNonFinite: (seed + index) % 5 < 2,
            random: new Random(seed + index),
            steps,
          }),
      };
    }),
    leavingOut: factories.map(([name, factory], index) => {
      const averages = AVERAGES[(seed + index) % AVERAGES.length]!;
      const clip = new Random(seed - index).pick(CLIPS);
      const rule = factory();
      return {
        title: `${name}: steps that leave tensors out, averages ${JSON.stringify(averages)}, ${JSON.stringify(clip)}`,
        rule,
        check: (device, track, steps = 12) =>
          checkParity({
            device,
            track,
            rule,
            averages,
            clip,
            random: new Random(seed + index),
            layouts: ALL_PATHS,
            oneBuffer: index % 2 === 0,
            skipNonFinite: (seed + index) % 3 === 0,
            steps,
            isSkipped: isLeftOut,
            boundedElements: 32,
          }),
      };
    }),
  };
}
