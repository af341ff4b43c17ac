import { slipsIn } from './slip.js';

const control = ['unit/reference-control', 'gpu/control', 'gpu/control-skip', 'gpu/control-norm'];
const numbers = ['unit/reference', 'unit/numerics', 'unit/golden'];
const bound = 'unit/reference#bound of one operation';

export const referenceSlips = [
  ...slipsIn('src/reference/gradient-control.ts', control, [
    ['this.round(this.round(gradScale) / this.lossScale)', 'this.round(gradScale)'],
    [
      'Math.max(round(this.lossScale * round(backoffFactor)), floor)',
      'round(this.lossScale * round(backoffFactor))',
    ],
    ['this.gradNorm = unscale * normOf', 'this.gradNorm = normOf'],
    ['norms.some(Number.isNaN) ? NaN : Math', 'Math', 'unit/reference-skip'],
    ['maxGradNorm / (this.gradNorm + 1e-6)', 'maxGradNorm / this.gradNorm'],
    ['Math.min(1, maxGradNorm', 'Math.max(1, maxGradNorm'],
    ['this.#consecutiveSkips < maxConsecutiveSkips', 'this.#consecutiveSkips <= maxConsecutiveSkips'],
    ['if (isFinite) this.#consecutiveSkips = 0;', ''],
    ['isFinite ? this.#growthTracker + 1 : 0', 'this.#growthTracker + 1'],
    [
      'if (this.#growthTracker < growthInterval) return;',
      'if (this.#growthTracker <= growthInterval) return;',
    ],
    ['maxGradNorm < Infinity ? unscale * this.clipFactor : unscale', 'unscale'],
  ]),
  ...slipsIn(
    'src/reference/tensor/sum-rows.ts',
    ['unit/sparse', 'gpu/sparse'],
    [
      ['Math.min(count, indices.length)', 'indices.length'],
      ['if (!(row < rowCount)) continue;', 'if (!(row <= rowCount)) continue;'],
      ['values[k * rowLength + e]!', 'values[k + e]!'],
      ['k += ROW_BLOCK', 'k += ROW_BLOCK + 1'],
      ['} while (level.length > 1);', '} while (level.length > 2);'],
      ['row * rowLength + e', 'row + e'],
    ],
  ),
  ...slipsIn('src/reference/arithmetic/arithmetic.ts', numbers, [
    ['if (a < low) return low;', 'if (a < low) return high;'],
    ['return a > high ? high : a;', 'return a;'],
    ['flushed(a) < flushed(low)', 'a < low'],
    ['flushed(a) > flushed(high) ?', 'a > high ?'],
    ['if (Number.isNaN(a)) return NaN;', ''],
    ['const TINY = MIN_NORMAL - 2 ** -151;', 'const TINY = MIN_NORMAL + 2 ** -151;'],
    ['abs: Math.abs,\n  larger: (a, b) => (flushed(b)', 'abs: Math.abs,\n  larger: (a, b) => (b'],
    ['isTiny(value) ? value / Infinity', 'isTiny(value) ? value'],
    ['float32.add(a, float32.mul(t, float32.sub(b, a)))', 'round(a + t * (b - a))'],
  ]),
  ...slipsIn(
    'src/reference/tensor/lanes.ts',
    ['unit/lanes'],
    [
      ['loop(seen(a), seen(b), out, n);', 'loop(a, b, out, n);'],
      ['loops.sqrt(seen(a), out, n);', 'loops.sqrt(a, out, n);'],
      ['loops.lerp(seen(a), seen(b), seen(t), out, n);', 'loops.lerp(seen(a), seen(b), t, out, n);'],
      ['      flushes.clear();', ''],
      ['if (flush && !Object.is(flush(value), value)) isMoved.add(lane);', ''],
      ['    isMoved.add(lane);\n    return lane;', '    return lane;'],
      ['makeLanes(float32, Float32Array, loops32, flushed)', 'makeLanes(float32, Float32Array, loops32)'],
      ['t[i]! * Math.fround(way)', 't[i]! * way'],
      ['from + Math.fround(part)', 'from + part'],
      ['if (isTiny(way) || isTiny(part) || isTiny(result))', 'if (isTiny(part) || isTiny(result))'],
      ['if (isTiny(way) || isTiny(part) || isTiny(result))', 'if (isTiny(way) || isTiny(result))'],
      ['if (isTiny(way) || isTiny(part) || isTiny(result))', 'if (isTiny(way) || isTiny(part))'],
      [
        'a[i]! * b[i]!;\n      out[i] = result;\n      if (isTiny(result)) out[i] = result / Infinity;',
        'a[i]! * b[i]!;\n      out[i] = result;',
      ],
      ['    if (magnitude < MIN_NORMAL && magnitude > 0) return true;', ''],
    ],
  ),
  ...slipsIn(
    'src/reference/tensor/update-elements.ts',
    ['unit/lanes', 'unit/sparse', 'unit/tables', 'gpu/tables'],
    [
      ['values[elementOf(k)] = lane[k]!', 'values[first + k] = lane[k]!'],
      ['lane[k] = values[elementOf(k)]!', 'lane[k] = values[first + k]!'],
      ['values.set(lane.subarray(0, count), first)', 'values.set(lane.subarray(0, count))'],
      ['for (const lane of [after, ...Object.values(s)]) checkLane(lane);', 'checkLane(after);'],
      ['const own = stepOf(elementOf(k)).h;', 'const own = stepOf(first).h;'],
      ['if (ArrayBuffer.isView(value)) return;', 'if (value) return;'],
    ],
  ),
  ...slipsIn(
    'src/reference/reference-optimizer.ts',
    ['unit/reference-throwing'],
    [
      ['        this.#stepCount--;\n', ''],
      ['        undo();\n', ''],
      ['() => changed.add(parameter.name)', '() => {}'],
    ],
  ),
  ...slipsIn(
    'src/reference/tensor/element-step.ts',
    ['unit/golden', 'unit/reference', 'gpu/parity-options'],
    [
      [
        "if (clamped) g = f.between(g, h['min_grad_value']!, h['max_grad_value']!);",
        '',
        'gpu/control#GradValue',
      ],
      ["if (on['MAXIMIZE']) g = f.neg(g);", ''],
      ['g = f.add(g, f.mul(decay, w));', 'g = f.sub(g, f.mul(decay, w));'],
      ['w = f.sub(w, f.mul(decay, w));', 'w = f.add(w, f.mul(decay, w));'],
      ["f.mul(gradient, h['grad_multiplier']!)", 'gradient'],
      ['w = result.weight;', ''],
    ],
  ),
  ...slipsIn(
    'src/reference/tensor/tensor-norm.ts',
    ['unit/tensor-norm', 'gpu/tensor-norms'],
    [
      ['total <= MOST', 'total <= Infinity'],
      ['[1 / SCALE, 1, SCALE]', '[1, 1, SCALE]'],
      ['total < LEAST ? 2 : 0', '0'],
      ['if (isNaN) return NaN;', ''],
      [
        'if (large > 0) return flushed(root(large, medium) * SCALE);',
        'if (large > 0) return flushed(root(large, 0) * SCALE);',
      ],
      ['if (value < 2 ** -126) return 0;', ''],
      ['half >= 1; half /= 2', 'half > 1; half /= 2'],
      ['const low = round(sums[first]! + sums[first + 1]!);', 'const low = sums[first]! + sums[first + 1]!;'],
    ],
  ),
  ...slipsIn(
    'src/reference/arithmetic/error-bound.ts',
    ['unit/reference'],
    [
      ['carried + ulps * ULP * magnitude + flush', 'carried + ulps * ULP * magnitude', bound],
      ['carried + ulps * ULP * magnitude', 'carried + ULP * magnitude', bound],
      [
        'sub: (a, b) => bounded(a.value - b.value, a.error + b.error, 1)',
        'sub: (a, b) => bounded(a.value - b.value, a.error - b.error, 1)',
      ],
      ['smallest, 2.5)', 'smallest, 0.5)', bound],
      ['Math.max(limit.error, a.error)', 'limit.error'],
      ['Math.abs(a.value) * b.error + Math.abs(b.value) * a.error', 'Math.abs(a.value) * b.error'],
    ],
  ),
  ...slipsIn(
    'src/reference/tensor/parameter-state.ts',
    ['unit/reference', 'unit/sparse', 'unit/reference-control'],
    [
      ['state[slot]![0] = store(whole[slot]!);', ''],
      ['new ArrayType(length)', 'new ArrayType(weights.length)'],
    ],
  ),
];
