import { adafactor } from './adafactor.js';
import { muon } from './muon.js';
import type { RuleFactory } from './rule.js';

/**
 * Every rule of matrices, by name. They step parameters that have a `shape` of two or more axes; `rules` has those that step
 * tensors of any.
 */
export const matrixRules = { muon, adafactor } as const;

/** The name of a rule of matrices. */
export type MatrixRuleName = keyof typeof matrixRules;

/** The rule factories as a list, for iteration. */
export const matrixRuleFactories = Object.entries(matrixRules) as [MatrixRuleName, RuleFactory][];
