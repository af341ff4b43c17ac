import { adadelta } from './adadelta.js';
import { adabelief } from './adabelief.js';
import { adagrad } from './adagrad.js';
import { adam } from './adam.js';
import { adamax } from './adamax.js';
import { adamw } from './adamw.js';
import { adan } from './adan.js';
import { ftrl } from './ftrl.js';
import { lamb } from './lamb.js';
import { lars } from './lars.js';
import { lion } from './lion.js';
import { momentum } from './momentum.js';
import { nadam } from './nadam.js';
import { novograd } from './novograd.js';
import { radam } from './radam.js';
import { rmsprop } from './rmsprop.js';
import type { RuleFactory } from './rule.js';
import { scheduleFreeAdamw } from './schedule-free-adamw.js';
import { scheduleFreeSgd } from './schedule-free-sgd.js';
import { sgd } from './sgd.js';
import { signum } from './signum.js';
import { yogi } from './yogi.js';

/** Every rule, by name: the one list that tests, benchmark and demo iterate over. */
export const rules = {
  sgd,
  momentum,
  adagrad,
  rmsprop,
  adam,
  adamw,
  adamax,
  adadelta,
  lion,
  adan,
  yogi,
  ftrl,
  signum,
  nadam,
  radam,
  adabelief,
  lars,
  lamb,
  novograd,
  scheduleFreeSgd,
  scheduleFreeAdamw,
} as const;

/** The name of a rule. */
export type RuleName = keyof typeof rules;

/** The rule factories as a list, for iteration. */
export const ruleFactories = Object.entries(rules) as [RuleName, RuleFactory][];
