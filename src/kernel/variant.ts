import type { Rule } from '../rules/rule.js';
import { layoutOf } from './rule-layout.js';

/**
 * How the gradient reaches the kernel. WebGPU's usage scope is the whole GPUBuffer, so a gradient in the
 * weight's buffer must be bound `read_write` too; and two writable bindings must not overlap, so where rounding
 * offsets down would make them, both go through one binding.
 *
 * - `read`: its own buffer.
 * - `read_write`: its own binding, in the weight's buffer.
 * - `shared`: the weight's binding.
 */
export type GradBinding = 'read' | 'read_write' | 'shared';

/** How four neighbouring elements are accessed: as an aligned vec4, or one by one. */
export type Access = 'vector' | 'gather';

/** How a dispatch reaches its elements; with the rule's switches, all that distinguishes two kernels. */
export interface AccessVariant {
  /** Elements per lane: 4 for the body of a tensor, 1 for its edges. */
  readonly laneWidth: 1 | 4;
  readonly gradBinding: GradBinding;
  /** Access to the weight; with `laneWidth` 1 always `gather`. */
  readonly dataAccess: Access;
  /** Access to the gradient; with `shared` the same as `dataAccess`. */
  readonly gradAccess: Access;
  /** If only the rows of a list are stepped: lanes per row. The gradient's lanes are in the order of the list. */
  readonly rowLanes?: number;
  /** How many tensors the dispatch steps; default 1. */
  readonly together?: number;
}

/** What a step does beside the rule, as far as its kernel must know. */
export interface StepFeatures {
  /** Whether the control pass decides on the GPU: skip, gradient multiplier, step count. */
  readonly controlled: boolean;
  /** Whether gradients are clamped by value. */
  readonly clamped: boolean;
}

/** A step of nothing but the rule. */
export const PLAIN_STEP: StepFeatures = { controlled: false, clamped: false };

/** Names of the state slots in use. */
export function usedSlots(rule: Rule): readonly string[] {
  return layoutOf(rule).slots.map(({ name }) => name);
}

/** Whether a slot is one number per tensor instead of one per element. */
export function isPerTensor(rule: Rule, slot: string): boolean {
  return layoutOf(rule).tensorSlots.includes(slot);
}

/** Those of {@link usedSlots} that have a number per element: the ones that step kernels bind. */
export function elementSlots(rule: Rule): readonly string[] {
  return layoutOf(rule).elementSlots;
}

/** Values of the `override` switches of a rule: the template's and its own. */
export function ruleSwitches(rule: Rule): Readonly<Record<string, boolean>> {
  return layoutOf(rule).equationSwitches;
}

/** Values of all `override` switches: those of the rule, and its averages'. */
export function switchConstants(rule: Rule): Readonly<Record<string, boolean>> {
  return layoutOf(rule).switches;
}
