import { adagrad } from './adagrad.js';
import { adam } from './adam.js';
import { lamb } from './lamb.js';
import { lars } from './lars.js';
import { momentum } from './momentum.js';
import { novograd } from './novograd.js';
import { rmsprop } from './rmsprop.js';
import type { RuleFactory } from './rule.js';
import { sgd } from './sgd.js';

/** Every rule, by name: the one list that tests, benchmark and demo iterate over. */
export const rules = { sgd, momentum, adagrad, rmsprop, adam, lars, lamb, novograd } as const;

/** The name of a rule. */
export type RuleName = keyof typeof rules;

/** The rule factories as a list, for iteration. */
export const ruleFactories = Object.entries(rules) as [RuleName, RuleFactory<object>][];
