import type { Arithmetic } from '../rules/declaring/arithmetic.js';
import type { Rule } from '../rules/rule.js';
import { float32 } from './arithmetic/arithmetic.js';
import { type ElementRule, makeElementRule } from './tensor/element-step.js';
import { type Lane, type Lanes, lanes32, lanes64 } from './tensor/lanes.js';

/** A rule as the reference steps by it: over single numbers, and the same over many elements at once. */
export interface ReferenceRule extends ElementRule<number> {
  readonly lanes: Lanes;
  readonly byLanes: ElementRule<Lane>;
}

/** @param clamped whether gradients are clamped by value. */
export function makeReferenceRule(f: Arithmetic<number>, rule: Rule, clamped: boolean): ReferenceRule {
  const lanes = f === float32 ? lanes32 : lanes64;
  return {
    ...makeElementRule(f, rule, clamped),
    lanes,
    byLanes: makeElementRule(lanes, rule, clamped),
  };
}
