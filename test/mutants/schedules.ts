import { slipsIn } from './slip.js';

const tests = [
  'unit/schedules',
  'unit/schedules-recursion',
  'unit/schedules-property',
  'unit/schedules-bad-input',
];
const stateful = ['unit/schedules-plateau', 'unit/schedules-state', 'unit/schedules-bad-input'];

export const scheduleSlips = [
  ...slipsIn('src/schedules/cosine.ts', tests, [
    ["afterEnd === 'hold' ? Math.min(t, tMax) : t % (2 * tMax)", "afterEnd === 'hold' ? t : t % (2 * tMax)"],
    ['t % (2 * tMax)', 't % tMax'],
    ['cosineRemaining(within / tMax) ** exponent', 'cosineRemaining(within / tMax)'],
    ['etaMin + (lr - etaMin) * mMul ** restarts', 'etaMin + lr * mMul ** restarts'],
    ['mMul ** restarts * cosineRemaining', 'mMul * cosineRemaining'],
    ['while (since >= length)', 'while (since > length)'],
    ['length *= tMult;', 'length += tMult;'],
    ['since: t % t0', 'since: t'],
    ['if (etaMin <= lr) return;', 'if (etaMin < lr) return;'],
  ]),
  ...slipsIn('src/schedules/one-cycle.ts', tests, [
    ['if (t <= end) {', 'if (t < end) {'],
    ['start = end;', 'start = t;'],
    ['return phases.at(-1)!.to;', 'return phases.at(-1)!.from;'],
    ["o.annealStrategy === 'cos' ? cosineRemaining(done) : 1 - done", 'cosineRemaining(done)'],
    ['const last = first / o.finalDivFactor;', 'const last = o.maxLr / o.finalDivFactor;'],
    ['const end = torch ? total - 1 : total;', 'const end = total;'],
    ['torch ? pctFinal * total - 2', 'torch ? pctFinal * total - 1'],
    ['torch ? 2 * o.pctStart : 0.85', 'torch ? o.pctStart : 0.85'],
  ]),
  ...slipsIn('src/schedules/compose.ts', tests, [
    ['parts[n]!(t - starts[n]!)', 'parts[n]!(t)'],
    ["boundariesBehind(ends, t, 'at')", "boundariesBehind(ends, t + 1, 'at')"],
    ['if (t >= W) return inner', 'if (t > W) return inner'],
    ['((t - W) / left) * stretch', '(t / left) * stretch'],
    ["const target = inner(position === 'overlap' ? t : 0);", 'const target = inner(0);'],
    ["if (mode === 'constant') return start;", ''],
    ['start ** (1 - t / W) * target ** (t / W)', 'start ** (t / W) * target ** (1 - t / W)'],
    ["mode === 'cosine' ? cosineRemaining(1 - t / W) : t / W", 't / W'],
    ['o.totalSteps <= o.warmupSteps', 'o.totalSteps < o.warmupSteps'],
  ]),
  ...slipsIn('src/schedules/decay.ts', tests, [
    ['lr / Math.sqrt(1 + t / timescale)', 'lr / Math.sqrt(t / timescale)'],
    ['staircase ? Math.floor(periods) : periods', 'periods'],
    ['gamma < 1 ? Math.max(rate, endLr) : Math.min(rate, endLr)', 'Math.max(rate, endLr)'],
    ['Math.max(1, Math.ceil(t / totalIters))', 'Math.ceil(t / totalIters)'],
    ['(1 - Math.min(t, length) / length) ** power', '(1 - t / length) ** power'],
    ['o.startFactor ?? 1 / 3', 'o.startFactor ?? 1 / 2'],
    ['Math.min(t, totalIters) / totalIters)', 't / totalIters)'],
  ]),
  ...slipsIn('src/schedules/staircase.ts', tests, [
    ['t < totalIters ? lr * factor : lr', 't <= totalIters ? lr * factor : lr'],
    ['Math.floor(t / (stepSize * stepsPerEpoch))', 'Math.floor(t / stepSize)'],
    ['Math.floor(t / stepsPerEpoch), boundary', 't, boundary'],
    [
      'values[boundariesBehind(boundaries, t, o.boundary)]!',
      "values[boundariesBehind(boundaries, t, 'at')]!",
    ],
    ['if (n === boundaries.length) return values[n]!;', ''],
    ['rate.push(rate.at(-1)! * scale)', 'rate.push(rate[0]! * scale)'],
  ]),
  ...slipsIn('src/schedules/reduce-on-plateau.ts', stateful, [
    ['Number.isFinite(metric) && (before.best', '(before.best'],
    ['before.best === null || improves', 'before.best !== null && improves'],
    ["o.counting === 'keras' ? 1 : 0", '0'],
    ["o.counting === 'torch' ? o.patience + 1 : Math.max(1, o.patience)", 'o.patience + 1'],
    ['if (numBadEpochs < enough) {', 'if (numBadEpochs <= enough) {'],
    ['Math.max(before.lr * o.factor, o.minLr)', 'before.lr * o.factor'],
    ['before.lr - lower > o.eps ? lower : before.lr', 'lower'],
    ['numBadEpochs: 0, cooldownCounter: o.cooldown', 'numBadEpochs: 0, cooldownCounter: 0'],
    ['best * (1 - threshold) : best - threshold', 'best * (1 + threshold) : best - threshold'],
    ['state: () => ({ ...now })', 'state: () => now'],
  ]),
  ...slipsIn('src/schedules/schedule.ts', stateful, [
    ['part.loadState(given[i]!)', 'part.loadState(given[0]!)'],
    ['schedules.length !== stateful.length', 'schedules.length < stateful.length'],
    ['if (found === kind) return state as ScheduleState;', 'if (found) return state as ScheduleState;'],
  ]),
];
