import { OptimizerError, isRecord, quote } from '../errors.js';
import { copyGiven } from '../given.js';
import {
  type OptionSpec,
  type OptionSpecs,
  choice,
  number,
  resolveOptions,
} from '../rules/options/options.js';
import { normalCdf } from './normal-cdf.js';

/** How the axes of a weight are meant, which decides its fans. */
export interface FanOptions {
  /**
   * Order of the axes. `'in-out'` (default), as Keras, TensorFlow.js and JAX: the last two are inputs and outputs, those
   * before them the kernel's extent. `'out-in'`, as PyTorch: the first two are outputs and inputs, the others the extent.
   */
  axes?: 'in-out' | 'out-in';
  /** `'uniform'` or `'normal'`, of the same variance. */
  distribution?: 'uniform' | 'normal';
  /** Factor on the standard deviation, > 0. */
  gain?: number;
}

/**
 * How a tensor begins: a name, or an object with the name as `kind` and options.
 *
 * - `zeros`, `ones`.
 * - `normal`: `mean` 0, `std` 1.
 * - `uniform`: from `a` 0 to `b` 1.
 * - `trunc_normal`: `mean` 0, `std` 1, restricted to [`a`, `b`] = [−2, 2], bounds as they are, not in units of `std`, as
 *   `torch.nn.init.trunc_normal_`.
 * - `kaiming` (He et al. 2015, eq. 10): standard deviation `gain` √2 / √fan; `mode` `'fan_in'` or `'fan_out'`;
 *   `distribution` `'normal'`.
 * - `xavier` (Glorot & Bengio 2010, eq. 16): standard deviation `gain` 1 · √(2 / (fan_in + fan_out)); `distribution`
 *   `'uniform'`.
 */
export type Initializer =
  | InitializerKind
  | { kind: 'zeros' | 'ones' }
  | { kind: 'normal'; mean?: number; std?: number }
  | { kind: 'uniform'; a?: number; b?: number }
  | { kind: 'trunc_normal'; mean?: number; std?: number; a?: number; b?: number }
  | ({ kind: 'kaiming'; mode?: 'fan_in' | 'fan_out' } & FanOptions)
  | ({ kind: 'xavier' } & FanOptions);

/** Names of the initialisers. */
export type InitializerKind = 'zeros' | 'ones' | 'normal' | 'uniform' | 'trunc_normal' | 'kaiming' | 'xavier';

/** What the kernel is told; see `Fill` in shaders/initialize.wgsl. */
export interface Fill {
  readonly kind: 'constant' | 'uniform' | 'normal' | 'symmetric_normal';
  readonly scale: number;
  readonly shift: number;
  /** Range of the distribution function that values are drawn from. */
  readonly pLow: number;
  readonly pHigh: number;
  /** Range of the values. */
  readonly least: number;
  readonly greatest: number;
}

const finite = (defaultValue: number): OptionSpec<number> => ({
  default: defaultValue,
  range: 'a finite number',
  accepts: Number.isFinite,
  samples: [],
});
const fanSpecs = (gain: number, distribution: 'uniform' | 'normal') => ({
  axes: choice<'in-out' | 'out-in'>('in-out', ['in-out', 'out-in']),
  distribution: choice<'uniform' | 'normal'>(distribution, ['uniform', 'normal']),
  gain: number(gain, 0),
});

const NORMAL_SPECS = { mean: finite(0), std: number(1, 0) };
const UNIFORM_SPECS = { a: finite(0), b: finite(1) };
const TRUNC_NORMAL_SPECS = { ...NORMAL_SPECS, a: finite(-2), b: finite(2) };
const KAIMING_SPECS = {
  ...fanSpecs(Math.SQRT2, 'normal'),
  mode: choice<'fan_in' | 'fan_out'>('fan_in', ['fan_in', 'fan_out']),
};
const XAVIER_SPECS = fanSpecs(1, 'uniform');

/**
 * Checks an initialiser and says what to fill a tensor with.
 *
 * @param what names the tensor in errors.
 * @throws OptimizerError `invalid-option` quoting what is wrong.
 */
export function resolveInitializer(initializer: Initializer, shape: readonly number[], what: string): Fill {
  const given: unknown = typeof initializer === 'string' ? { kind: initializer } : initializer;
  if (!isRecord(given) || !('kind' in given)) {
    fail(what, `init is ${quote(initializer)}; give a name, or { kind, …options }`);
  }
  const { kind, ...options } = copyGiven(given, ['kind']);
  if (typeof kind !== 'string' || !Object.hasOwn(RESOLVERS, kind)) {
    fail(what, `init is ${quote(kind)}; give one of ${Object.keys(RESOLVERS).map(quote).join(', ')}`);
  }
  return RESOLVERS[kind as InitializerKind](options, shape, `${what}: init ${quote(kind)}`);
}

const RESOLVERS: Record<InitializerKind, (options: object, shape: readonly number[], what: string) => Fill> =
  {
    zeros: (options, _, what) => check(what, {}, options) && constant(0),
    ones: (options, _, what) => check(what, {}, options) && constant(1),
    normal: (options, _, what) => {
      const { mean, std } = check(what, NORMAL_SPECS, options);
      return normal(mean, std);
    },
    uniform: (options, _, what) => {
      const { a, b } = check(what, UNIFORM_SPECS, options);
      if (a > b) fail(what, `a ${a} is above b ${b}; give a ≤ b`);
      return uniform(a, b);
    },
    trunc_normal: (options, _, what) => {
      const { mean, std, a, b } = check(what, TRUNC_NORMAL_SPECS, options);
      if (a >= b) fail(what, `a ${a} is not below b ${b}; give a < b`);
      return truncNormal(mean, std, a, b, what);
    },
    kaiming: (options, shape, what) => {
      const { axes, distribution, gain, mode } = check(what, KAIMING_SPECS, options);
      const { fanIn, fanOut } = fansOf(shape, axes, what);
      return spread(distribution, gain / Math.sqrt(mode === 'fan_in' ? fanIn : fanOut));
    },
    xavier: (options, shape, what) => {
      const { axes, distribution, gain } = check(what, XAVIER_SPECS, options);
      const { fanIn, fanOut } = fansOf(shape, axes, what);
      return spread(distribution, gain * Math.sqrt(2 / (fanIn + fanOut)));
    },
  };

const check = <O extends object>(what: string, specs: OptionSpecs<O>, options: object): Readonly<O> =>
  resolveOptions(what, specs, options);

function constant(value: number): Fill {
  return { kind: 'constant', scale: 0, shift: value, pLow: 0, pHigh: 0, least: value, greatest: value };
}

function uniform(a: number, b: number): Fill {
  return { kind: 'uniform', scale: b - a, shift: a, pLow: 0, pHigh: 1, least: a, greatest: b };
}

function normal(mean: number, std: number): Fill {
  const range = { pLow: 0, pHigh: 0.5, least: -3e38, greatest: 3e38 };
  return { kind: 'symmetric_normal', scale: std, shift: mean, ...range };
}

function truncNormal(mean: number, std: number, a: number, b: number, what: string): Fill {
  if (std === 0) return constant(Math.min(Math.max(mean, a), b));
  const [low, high] = [(a - mean) / std, (b - mean) / std];
  if (low === -high) {
    const symmetric = { pLow: normalCdf(low), pHigh: 0.5, least: a, greatest: b };
    return { kind: 'symmetric_normal', scale: std, shift: mean, ...symmetric };
  }
  // Above the mean the distribution function is close to 1, where float32 is coarse: its mirror image is not.
  const isMirrored = low + high > 0;
  const [pLow, pHigh] = isMirrored ? [normalCdf(-high), normalCdf(-low)] : [normalCdf(low), normalCdf(high)];
  if (pHigh < LEAST_TAIL) {
    fail(what, `[${a}, ${b}] is more than five standard deviations from the mean ${mean}; move it closer`);
  }
  const scale = isMirrored ? -std : std;
  return {
    kind: 'normal',
    scale,
    shift: mean,
    pLow: Math.max(pLow, LEAST_TAIL / 2),
    pHigh,
    least: a,
    greatest: b,
  };
}

/** The quantile's approximation holds from here on. */
const LEAST_TAIL = 2 ** -22;

function spread(distribution: 'uniform' | 'normal', std: number): Fill {
  if (distribution === 'normal') return normal(0, std);
  const bound = Math.sqrt(3) * std;
  return uniform(-bound, bound);
}

function fansOf(
  shape: readonly number[],
  axes: 'in-out' | 'out-in',
  what: string,
): { fanIn: number; fanOut: number } {
  if (shape.length < 2) {
    fail(what, `the shape ${quote(shape)} has no inputs and outputs; give two axes or more, or another init`);
  }
  const isInOut = axes === 'in-out';
  const [first, second] = isInOut ? shape.slice(-2) : shape;
  const extent = (isInOut ? shape.slice(0, -2) : shape.slice(2)).reduce((product, n) => product * n, 1);
  const [inputs, outputs] = isInOut ? [first!, second!] : [second!, first!];
  return { fanIn: inputs * extent, fanOut: outputs * extent };
}

function fail(what: string, complaint: string): never {
  throw new OptimizerError('invalid-option', `${what}: ${complaint}.`);
}
