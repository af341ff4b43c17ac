import type { Arithmetic } from '../../rules/declaring/arithmetic.js';

/** From it on, mantissas are halved. */
const MOST_MANTISSA = Math.fround(1.4);

/** Factors of the powers of x² in artanh(x)/x, and of z in exp z, the highest first. */
const ARTANH = [1 / 9, 1 / 7, 1 / 5, 1 / 3, 1];
const EXP = [1 / 5040, 1 / 720, 1 / 120, 1 / 24, 1 / 6, 1 / 2, 1, 1];

type Operations<N> = Pick<Arithmetic<N>, 'load' | 'scalar' | 'add' | 'sub' | 'mul' | 'div'>;

/** A float32 ≥ 1 as m·2ᵉ, with m in [0.7, 1.4). */
function split(count: number): { readonly mantissa: number; readonly doublings: number } {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, count);
  const bits = view.getUint32(0);
  const doublings = (bits >>> 23) - 127;
  view.setUint32(0, (bits & 0x7fffff) | 0x3f800000);
  const mantissa = view.getFloat32(0);
  return mantissa >= MOST_MANTISSA
    ? { mantissa: mantissa / 2, doublings: doublings + 1 }
    : { mantissa, doublings };
}

/** The CPU twin of `shaders/rules/parts/count-power.wgsl`, operation by operation. */
export function powerOfCount<N>(
  { load, scalar, add, sub, mul, div }: Operations<N>,
  count: number,
  exponent: N,
  ofTwo: N,
): N {
  const { mantissa, doublings } = split(count);
  const polynomial = ([first, ...others]: readonly number[], x: N): N =>
    others.reduce((sum, factor) => add(mul(sum, x), scalar(factor)), scalar(first!));
  const [m, one] = [load(mantissa), load(1)];
  const x = div(sub(m, one), add(m, one));
  const z = mul(exponent, mul(mul(load(2), x), polynomial(ARTANH, mul(x, x))));
  let power = polynomial(EXP, z);
  for (let k = 0; k < doublings; k++) power = mul(power, ofTwo);
  return power;
}
