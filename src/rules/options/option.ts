import { commonOptions } from './common-options.js';
import { betas, boolean, choice, integer, number, numberAtStart, numberBetween } from './options.js';

/**
 * Specs of options, for `defineRule` and `definePart`: their defaults, their ranges, and values for the proof to try.
 *
 * - `common(lr, weightDecay?, mode?)`: the specs that every rule has, to be spread into its `options`.
 * - `number(default, min, below?)`: a finite number from `min` on, and below `below`.
 * - `numberAtStart(default, min)`: one that `initial` of a slot asks for. As state begins once, `group.set` refuses it.
 * - `numberBetween(default, min, max, samples)`: one in [min, max].
 * - `integer(default, min, max?, samples?)`.
 * - `boolean(default)`.
 * - `choice(default, values)`: one of a few names.
 * - `betas([β₁, β₂])`: a pair of numbers in [0, 1).
 *
 * A default of NaN stands for none: then the option must be given.
 *
 * @example defineRule({ options: { ...option.common(0.01), beta: option.number(0.9, 0, 1) }, … })
 */
export const option: Readonly<{
  common: typeof commonOptions;
  number: typeof number;
  numberAtStart: typeof numberAtStart;
  numberBetween: typeof numberBetween;
  integer: typeof integer;
  boolean: typeof boolean;
  choice: typeof choice;
  betas: typeof betas;
}> = /* @__PURE__ */ Object.freeze({
  common: commonOptions,
  number,
  numberAtStart,
  numberBetween,
  integer,
  boolean,
  choice,
  betas,
});
