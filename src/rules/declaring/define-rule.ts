import { measuring } from '../../stages/measure/measuring.js';
import { checkDeclaration, checkPart, checkSource } from './check-declaration.js';
import { type declareRule, makeFactory } from './declare-rule.js';
import { type LooseSource, flatten } from './merge-parts.js';
import { type Part, declarePart } from './part.js';

/**
 * Makes the function that users call, `adam` say, from what a rule declares. Types follow from the declaration: the
 * options that the function takes, and the names that the equation may speak of.
 *
 * @returns the rule's function, as the library's own are.
 * @throws OptimizerError `invalid-rule` if it makes no rule.
 * @example
 * const signSgd = defineRule({
 *   name: 'signSgd',
 *   wgsl: 'fn update(w: lane, g: lane) -> lane { return w - h.lr * sign_of(g); }',
 *   options: option.common(0.01),
 *   scalars: (_, lr) => ({ lr }),
 *   reference: ({ sub, mul, sign }, { w, g, h }) => sub(w, mul(h.lr, sign(g))),
 * });
 */
export const defineRule: typeof declareRule = (source) => {
  checkSource(source);
  const sources = flatten(source as unknown as LooseSource);
  const factory = makeFactory(sources, measuring);
  checkDeclaration(factory.declaration, sources);
  return factory as never;
};

/**
 * Declares a part of rules, to be listed under `parts` of `defineRule` or of another part.
 *
 * @throws OptimizerError `invalid-rule` if it makes no part.
 * @example
 * const floor = definePart({
 *   wgsl: 'fn floored(x: lane) -> lane { return larger(x, lane(h.floor)); }',
 *   options: { floor: option.number(1e-3, 0) },
 *   scalars: (o: { readonly floor: number }) => ({ floor: o.floor }),
 * });
 */
export function definePart<const P extends Part>(part: P): P {
  checkPart(part);
  return declarePart(part);
}
