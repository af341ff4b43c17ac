import { OptimizerError, quote, rejectUnknownKeys } from '../errors.js';
import { type OptionSpec, choice, number, checkOptions } from '../rules/options/options.js';
import { type ScheduleState, type StatefulSchedule, checkKind } from './schedule.js';
import { type Resolved, baseRate, integer, invalid } from './specs.js';

/** Options of `schedules.reduceOnPlateau`. */
export interface ReduceOnPlateauOptions {
  /** The learning rate ≥ 0 to begin with. */
  lr: number;
  /** Whether a good metric is low (`'min'`, the default) or high (`'max'`). */
  mode?: 'min' | 'max';
  /** By what the rate is multiplied, in [0, 1). Default 0.1. */
  factor?: number;
  /** How many reports without improvement are put up with, an integer ≥ 0; see `counting`. Default 10. */
  patience?: number;
  /** What an improvement has to exceed, ≥ 0. Default 1e-4. */
  threshold?: number;
  /** Whether `threshold` is a part of the best metric (`'rel'`, the default) or a difference to it (`'abs'`). */
  thresholdMode?: 'rel' | 'abs';
  /** For how many reports after a reduction none is counted, an integer ≥ 0; see `counting`. Default 0. */
  cooldown?: number;
  /** The lowest rate, from 0 to `lr`. Default 0. */
  minLr?: number;
  /** A reduction by this or less is not made, ≥ 0. Default 1e-8; Keras and optax have none. */
  eps?: number;
  /** How reports are counted against `patience` and `cooldown`. Default `'torch'`. */
  counting?: 'torch' | 'keras' | 'optax';
}

/** A learning rate that falls when the metric that it is told of no longer improves. */
export interface ReduceOnPlateauSchedule extends StatefulSchedule {
  /**
   * Takes a metric into account, usually once per epoch, after validation; the rate of the next steps follows.
   *
   * @param metric the new value. One that is not finite counts as no improvement.
   * @returns the learning rate from now on.
   * @throws OptimizerError `invalid-option` if it is not a number; then nothing has changed.
   */
  report(metric: number): number;
}

const KIND = 'reduceOnPlateau';

/** All that decides the coming rates; the names are those of PyTorch's `ReduceLROnPlateau`. */
interface PlateauState extends ScheduleState {
  readonly lr: number;
  /** The best metric so far; null before the first, as JSON has no infinity. */
  readonly best: number | null;
  readonly numBadEpochs: number;
  readonly cooldownCounter: number;
}

const stateSpecs: Readonly<Record<string, Pick<OptionSpec<unknown>, 'range' | 'accepts'>>> = {
  lr: number(0, 0),
  best: { range: 'a finite number or null', accepts: (value) => value === null || Number.isFinite(value) },
  numBadEpochs: integer(0, 0),
  cooldownCounter: integer(0, 0),
};

/**
 * Multiplies the rate by `factor` when a metric has stopped improving. The only schedule with state: it depends on
 * what `report` was told, and not on the step.
 *
 *     improved:  min rel: metric < best·(1 − threshold)    max rel: metric > best·(1 + threshold)
 *                min abs: metric < best − threshold        max abs: metric > best + threshold
 *     reduced:   lr ← max(lr·factor, minLr), if that is more than eps less
 *
 * `torch.optim.lr_scheduler.ReduceLROnPlateau`. `counting` chooses where Keras' callback `ReduceLROnPlateau` and
 * `optax.contrib.reduce_on_plateau` count otherwise:
 * - `'torch'` reduces when more reports than `patience` in a row were no improvement; the others when as many were.
 * - `'keras'` counts the report with which a cooldown ends; the others start with the next one.
 * Keras' `min_delta` is a `threshold` of `thresholdMode` 'abs'; optax' `rtol` is one of 'rel', its `atol` one of
 * 'abs', its `min_scale` is minLr / lr. As in PyTorch, 'rel' takes a slightly worse metric for better if the best
 * is negative: use 'abs' for metrics that may be.
 *
 * @returns a schedule with `report`; its state goes into a checkpoint, see {@link StatefulSchedule}.
 * @throws OptimizerError `invalid-option` on an unknown option, a value out of range, or `minLr` above `lr`.
 * @example
 * const lr = schedules.reduceOnPlateau({ lr: 0.1, patience: 5 });
 * const optimizer = await Optimizer.create(device, { rule: sgd({ lr }), params });
 * // after each epoch
 * lr.report(validationLoss);
 */
export function reduceOnPlateau(options: ReduceOnPlateauOptions): ReduceOnPlateauSchedule {
  const name = `schedules.${KIND}`;
  const o = checkOptions<Resolved<ReduceOnPlateauOptions>>(
    name,
    {
      lr: baseRate,
      mode: choice<'min' | 'max'>('min', ['min', 'max']),
      factor: number(0.1, 0, 1),
      patience: integer(10, 0),
      threshold: number(1e-4, 0),
      thresholdMode: choice<'rel' | 'abs'>('rel', ['rel', 'abs']),
      cooldown: integer(0, 0),
      minLr: number(0, 0),
      eps: number(1e-8, 0),
      counting: choice<'torch' | 'keras' | 'optax'>('torch', ['torch', 'keras', 'optax']),
    },
    options,
  );
  if (o.minLr > o.lr) {
    throw invalid(name, `minLr is ${quote(o.minLr)}, above lr ${quote(o.lr)}; give a minLr from 0 to lr.`);
  }
  let now: PlateauState = { kind: KIND, lr: o.lr, best: null, numBadEpochs: 0, cooldownCounter: 0 };
  const members: Pick<ReduceOnPlateauSchedule, 'kind' | 'report' | 'state' | 'loadState'> = {
    kind: KIND,
    report(metric) {
      if (typeof metric !== 'number') {
        throw invalid(name, `the reported metric is ${quote(metric)}; report a number.`);
      }
      now = afterReport(now, metric, o);
      return now.lr;
    },
    state: () => ({ ...now }),
    loadState(state) {
      now = checkState(name, state);
    },
  };
  return Object.assign(() => now.lr, members);
}

function afterReport(
  before: PlateauState,
  metric: number,
  o: Resolved<ReduceOnPlateauOptions>,
): PlateauState {
  const better = Number.isFinite(metric) && (before.best === null || improves(metric, before.best, o));
  const best = better ? metric : before.best;
  const cooling = before.cooldownCounter > (o.counting === 'keras' ? 1 : 0);
  const numBadEpochs = better || cooling ? 0 : before.numBadEpochs + 1;
  // Without patience, too, it takes one bad report.
  const enough = o.counting === 'torch' ? o.patience + 1 : Math.max(1, o.patience);
  if (numBadEpochs < enough) {
    return { ...before, best, numBadEpochs, cooldownCounter: Math.max(0, before.cooldownCounter - 1) };
  }
  const lower = Math.max(before.lr * o.factor, o.minLr);
  const lr = before.lr - lower > o.eps ? lower : before.lr;
  return { ...before, lr, best, numBadEpochs: 0, cooldownCounter: o.cooldown };
}

function improves(metric: number, best: number, o: Resolved<ReduceOnPlateauOptions>): boolean {
  const { mode, threshold, thresholdMode } = o;
  if (mode === 'min') return metric < (thresholdMode === 'rel' ? best * (1 - threshold) : best - threshold);
  return metric > (thresholdMode === 'rel' ? best * (1 + threshold) : best + threshold);
}

function checkState(name: string, given: unknown): PlateauState {
  const state = checkKind(given, KIND);
  rejectUnknownKeys(state, ['kind', ...Object.keys(stateSpecs)], `${name}: the state`, 'invalid-state-dict');
  for (const [key, { range, accepts }] of Object.entries(stateSpecs)) {
    if (accepts(state[key])) continue;
    throw new OptimizerError(
      'invalid-state-dict',
      `${name}: ${key} of the state is ${quote(state[key])}; it has to be ${range}.`,
    );
  }
  return { ...state } as PlateauState;
}
