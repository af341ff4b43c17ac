import { type RuleName, type Rule, rules } from '../../src/index.js';
import { tensorOf } from '../../src/rules/rule.js';
import { presets as rulePresets } from './rule-presets.js';
import { heightAt } from '../shared/photo.js';
import type { GradientMode } from './model/levels.js';
import type { ModelDtypes } from './model/dtypes.js';
import { type ModelPlan, planModel } from './model/plan.js';

/** How deep the grid goes and how wide the network is. */
export interface NetworkSize {
  readonly name: string;
  readonly levelCount: number;
  /** Width of the hidden layers. */
  readonly hidden: number;
  /** Cells of the finest level per pixel. */
  readonly cellsPerPixel: number;
}

/** The choices, lightest first. */
export const networks = {
  light: { name: '8 levels, 16 wide', levelCount: 8, hidden: 16, cellsPerPixel: 1 },
  medium: { name: '16 levels, 32 wide', levelCount: 16, hidden: 32, cellsPerPixel: 2 },
  full: { name: '16 levels, 64 wide', levelCount: 16, hidden: 64, cellsPerPixel: 4 },
} as const satisfies Record<string, NetworkSize>;

/** Name of a {@link NetworkSize}. */
export type NetworkName = keyof typeof networks;

/** Widths that the photograph may be scaled to. */
export const widths = [128, 256, 512, 1024] as const;
/** Binary logarithms of T, the most entries per level. */
export const tableExponents = [12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24] as const;
/** Pixels per step. */
export const batches = [1024, 2048, 4096, 8192, 16_384, 32_768, 65_536] as const;

const COARSEST = 16;

/** What decides the model's size. */
export interface SizeSettings {
  readonly width: number;
  /** log₂ T. */
  readonly table: number;
  readonly batch: number;
  readonly network: NetworkName;
  readonly gradients: GradientMode;
}

/** All that a visitor chooses. */
export interface Settings extends SizeSettings, ModelDtypes {
  readonly rule: RuleName;
  readonly lr: number;
  readonly seed: number;
}

/** Sizes for devices of three speeds; which one, a measurement says (see warm-up.ts). */
export const sizes = {
  small: { width: 512, table: 16, batch: 4096, network: 'light', gradients: 'auto' },
  medium: { width: 1024, table: 19, batch: 16_384, network: 'medium', gradients: 'auto' },
  large: { width: 1024, table: 22, batch: 32_768, network: 'full', gradients: 'auto' },
} as const satisfies Record<string, SizeSettings>;

/** The model for these settings. */
export function planFor({ width, table, batch, network, gradients }: SizeSettings): ModelPlan {
  const { levelCount, hidden, cellsPerPixel } = networks[network];
  const grid = { levelCount, coarsest: COARSEST, finest: cellsPerPixel * width, tableSize: 2 ** table };
  return planModel({ width, height: heightAt(width), grid, hidden, batch, gradients });
}

/**
 * Names of the rules to choose from: those that take sparse gradients, which is all but those that measure or
 * average whole tensors. And not FTRL: it computes weights from its state alone, so that random first values are lost, and with them what tells
 * the neurons of a layer apart.
 */
export const ruleNames = (Object.keys(rules) as RuleName[]).filter(
  (name) => tensorOf(rules[name]()) === undefined && !rules[name].declaration.evaluation && name !== 'ftrl',
);

/** The learning rate that a rule starts with here. */
export function defaultRate(name: RuleName): number {
  const { default: lr } = rules[name].declaration.options.lr;
  return rulePresets[name]?.lr ?? (typeof lr === 'number' ? lr : lr(0));
}

/** The rule with the options that fit this problem. */
export function ruleFor(name: RuleName, lr: number): Rule {
  const factory = rules[name] as (options: object) => Rule;
  return factory({ ...rulePresets[name]?.options, lr });
}
