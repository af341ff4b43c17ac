import { OptimizerError } from '../../errors.js';
import type { Arithmetic } from '../../rules/declaring/arithmetic.js';
import { MIN_NORMAL, float32, float64, flushed, isTiny, round } from '../arithmetic/arithmetic.js';
import type { NumericArray } from '../arithmetic/numbers.js';

/** Elements that are computed together. Enough for calls not to count, and few enough for what an equation makes of them to stay in a CPU's nearest caches. */
export const LANE_LENGTH = 1024;

/** A number per element, of so many of them as are computed together; in an array whose numbers are those of the arithmetic. */
export type Lane = NumericArray;

/**
 * An arithmetic over many elements at once, each as the arithmetic below it does. An equation is called once for all of
 * them: a call for each of its operations and elements took most of a step's time.
 */
export interface Lanes extends Arithmetic<Lane> {
  /** What lanes are: what is put into one is loaded. */
  readonly Lane: Float32ArrayConstructor | Float64ArrayConstructor;
  /** Begins anew with so many elements: what was made before is overwritten. */
  readonly begin: (count: number) => void;
  /** A lane until then, for numbers from memory. */
  readonly take: () => Lane;
  /** A lane for good, of one number. */
  readonly constant: (value: number) => Lane;
}

/** What steps spend their time with: each puts n results behind each other. They are loops of their own, for compilers to have one operation in it. */
interface Loops {
  readonly add: (a: Lane, b: Lane, out: Lane, n: number) => void;
  readonly sub: Loops['add'];
  readonly mul: Loops['add'];
  readonly div: Loops['add'];
  readonly sqrt: (a: Lane, out: Lane, n: number) => void;
  readonly lerp: (a: Lane, b: Lane, t: Lane, out: Lane, n: number) => void;
}

/**
 * As `float32` in ./arithmetic.ts, of numbers that are no subnormals. A lane rounds what is put into it; what is tiny is put there again,
 * for a choice between two numbers, or a function that does both, costs twice as much as all else. No root is tiny.
 */
const loops32: Loops = {
  add: (a, b, out, n) => {
    for (let i = 0; i < n; i++) {
      const result = a[i]! + b[i]!;
      out[i] = result;
      if (isTiny(result)) out[i] = result / Infinity;
    }
  },
  sub: (a, b, out, n) => {
    for (let i = 0; i < n; i++) {
      const result = a[i]! - b[i]!;
      out[i] = result;
      if (isTiny(result)) out[i] = result / Infinity;
    }
  },
  mul: (a, b, out, n) => {
    for (let i = 0; i < n; i++) {
      const result = a[i]! * b[i]!;
      out[i] = result;
      if (isTiny(result)) out[i] = result / Infinity;
    }
  },
  div: (a, b, out, n) => {
    for (let i = 0; i < n; i++) {
      const result = a[i]! / b[i]!;
      out[i] = result;
      if (isTiny(result)) out[i] = result / Infinity;
    }
  },
  sqrt: (a, out, n) => {
    for (let i = 0; i < n; i++) out[i] = Math.sqrt(a[i]!);
  },
  lerp: (a, b, t, out, n) => {
    for (let i = 0; i < n; i++) {
      const from = a[i]!;
      const way = b[i]! - from;
      const part = t[i]! * Math.fround(way);
      const result = from + Math.fround(part);
      out[i] = result;
      if (isTiny(way) || isTiny(part) || isTiny(result)) out[i] = round(from + round(t[i]! * round(way)));
    }
  },
};

/** Whether arithmetic would see other numbers: few lanes have such. */
function hasSubnormal(a: Lane, n: number): boolean {
  for (let i = 0; i < n; i++) {
    const magnitude = Math.abs(a[i]!);
    if (magnitude < MIN_NORMAL && magnitude > 0) return true;
  }
  return false;
}

const loops64: Loops = {
  add: (a, b, out, n) => {
    for (let i = 0; i < n; i++) out[i] = a[i]! + b[i]!;
  },
  sub: (a, b, out, n) => {
    for (let i = 0; i < n; i++) out[i] = a[i]! - b[i]!;
  },
  mul: (a, b, out, n) => {
    for (let i = 0; i < n; i++) out[i] = a[i]! * b[i]!;
  },
  div: (a, b, out, n) => {
    for (let i = 0; i < n; i++) out[i] = a[i]! / b[i]!;
  },
  sqrt: (a, out, n) => {
    for (let i = 0; i < n; i++) out[i] = Math.sqrt(a[i]!);
  },
  lerp: (a, b, t, out, n) => {
    for (let i = 0; i < n; i++) out[i] = a[i]! + t[i]! * (b[i]! - a[i]!);
  },
};

/** @param flush what arithmetic sees of a number that was only moved. */
function makeLanes(
  f: Arithmetic<number>,
  Lane: Lanes['Lane'],
  loops: Loops,
  flush?: (value: number) => number,
): Lanes {
  let n = 0;
  // Lanes of results, whose numbers are what arithmetic sees of them, and of what was only moved.
  const results = makePool(Lane);
  const moved = makePool(Lane);
  const isMoved = new WeakSet<Lane>();
  const flushes = new Map<Lane, Lane>();
  const take = (): Lane => {
    const lane = moved.take();
    isMoved.add(lane);
    return lane;
  };
  const make = (at: (i: number) => number): Lane => {
    const out = take();
    for (let i = 0; i < n; i++) out[i] = at(i);
    return out;
  };
  /** What arithmetic sees of a lane. */
  const seen = (a: Lane): Lane => {
    if (!flush || !isMoved.has(a)) return a;
    let out = flushes.get(a);
    if (out) return out;
    flushes.set(a, (out = hasSubnormal(a, n) ? results.take() : a));
    if (out !== a) for (let i = 0; i < n; i++) out[i] = flush(a[i]!);
    return out;
  };
  const two = (loop: Loops['add']) => (a: Lane, b: Lane) => {
    const out = results.take();
    loop(seen(a), seen(b), out, n);
    return out;
  };
  return {
    Lane,
    begin: (count) => {
      n = count;
      results.reset();
      moved.reset();
      flushes.clear();
    },
    take,
    constant: (value) => {
      const lane = new Lane(LANE_LENGTH).fill(value);
      if (flush && !Object.is(flush(value), value)) isMoved.add(lane);
      return lane;
    },
    load: (value) => take().fill(f.load(value), 0, n),
    scalar: (value) => take().fill(f.scalar(value), 0, n),
    store: (a) => {
      for (let i = 1; i < n; i++)
        if (!Object.is(a[i], a[0])) rejectWhole('store() of what differs by element');
      return f.store(a[0]!);
    },
    norm: () => rejectWhole('norm()'),
    add: two(loops.add),
    sub: two(loops.sub),
    mul: two(loops.mul),
    div: two(loops.div),
    sqrt: (a) => {
      const out = results.take();
      loops.sqrt(seen(a), out, n);
      return out;
    },
    lerp: (a, b, t) => {
      const out = results.take();
      loops.lerp(seen(a), seen(b), seen(t), out, n);
      return out;
    },
    neg: (a) => make((i) => f.neg(a[i]!)),
    abs: (a) => make((i) => f.abs(a[i]!)),
    sign: (a) => make((i) => f.sign(a[i]!)),
    larger: (a, b) => make((i) => f.larger(a[i]!, b[i]!)),
    clamp: (a, limit) => make((i) => f.clamp(a[i]!, limit[i]!)),
    between: (a, low, high) => make((i) => f.between(a[i]!, low[i]!, high[i]!)),
    where: (a, positive, otherwise) => make((i) => f.where(a[i]!, positive[i]!, otherwise[i]!)),
    ifPositive: (a, yes, no) => make((i) => f.ifPositive(a[i]!, yes[i]!, no[i]!)),
    powerOfCount: (count, exponent, ofTwo) => make((i) => f.powerOfCount(count, exponent[i]!, ofTwo[i]!)),
  };
}

/** Lanes to be used again and again. */
function makePool(Lane: Lanes['Lane']): { take(): Lane; reset(): void } {
  const pool: Lane[] = [];
  let taken = 0;
  return {
    take: () => (pool[taken++] ??= new Lane(LANE_LENGTH)),
    reset: () => {
      taken = 0;
    },
  };
}

function rejectWhole(what: string): never {
  throw new OptimizerError(
    'invalid-config',
    `a rule's reference calls ${what}, but is called for many elements at once; use the other operations of its first argument.`,
  );
}

export const lanes32: Lanes = makeLanes(float32, Float32Array, loops32, flushed);
export const lanes64: Lanes = makeLanes(float64, Float64Array, loops64);
