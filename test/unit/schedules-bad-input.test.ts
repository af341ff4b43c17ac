import { describe, expect, test } from 'vitest';
import { OptimizerError } from '../../src/index.js';
import { schedules } from '../../src/schedules.js';

describe('bad input is one error that quotes the value and the remedy', () => {
  const { constant, inverseSqrt, step, multiStep, exponential, polynomial, linear, cosine } = schedules;
  const { cosineRestarts, warmup, oneCycle, piecewise, join, reduceOnPlateau } = schedules;
  const { inverseTime, linearWithWarmup, product } = schedules;
  const lr = 0.1;

  const cases: [make: () => unknown, ...says: string[]][] = [
    [() => constant(undefined as never), 'schedules.constant', 'undefined', 'give an object'],
    [() => constant({} as never), 'lr is undefined', 'a finite number ≥ 0'],
    [() => constant({ lr: -1 }), 'schedules.constant: lr is -1', 'a finite number ≥ 0'],
    [() => constant({ lr: NaN }), 'lr is NaN', 'a finite number ≥ 0'],
    [() => constant({ lr: Infinity }), 'lr is Infinity', 'a finite number ≥ 0'],
    [() => constant({ lr: '0.1' as never }), 'lr is "0.1"', 'a finite number ≥ 0'],
    [() => constant({ lr, factor: 0.5, totalIters: 0 }), 'totalIters is 0', 'an integer ≥ 1'],
    [() => constant({ lr, factor: 0.5 }), 'factor is 0.5', 'totalIters is undefined', 'both or neither'],
    [() => constant({ lr, totalIters: 5 }), 'factor is undefined', 'totalIters is 5', 'both or neither'],
    [() => constant({ lr, total_iters: 5 } as never), '"total_iters"', 'lr, factor, totalIters'],
    [() => inverseSqrt({ lr, timescale: 0 }), 'timescale is 0', '> 0'],
    [() => inverseSqrt({ lr, timescale: NaN }), 'timescale is NaN', '> 0'],
    [() => inverseTime({ lr } as never), 'schedules.inverseTime: decayRate is undefined', '≥ 0'],
    [() => inverseTime({ lr, decayRate: -1 }), 'decayRate is -1', '≥ 0'],
    [() => inverseTime({ lr, decayRate: 1, decaySteps: 0 }), 'decaySteps is 0', 'an integer ≥ 1'],
    [() => inverseTime({ lr, decayRate: 1, staircase: 1 as never }), 'staircase is 1', 'true or false'],
    [() => step({ lr, stepSize: 0 }), 'stepSize is 0', 'an integer ≥ 1'],
    [() => step({ lr, stepSize: 1.5 }), 'stepSize is 1.5', 'an integer ≥ 1'],
    [() => step({ lr } as never), 'stepSize is undefined', 'an integer ≥ 1'],
    [() => step({ lr, stepSize: 3, gamma: -0.1 }), 'gamma is -0.1', '≥ 0'],
    [() => step({ lr, stepSize: 3, stepsPerEpoch: 0 }), 'stepsPerEpoch is 0', 'an integer ≥ 1'],
    [() => multiStep({ lr, milestones: [5, 5] }), 'milestones is [5, 5]', 'strictly increasing integers ≥ 0'],
    [() => multiStep({ lr, milestones: [5, 2] }), 'milestones is [5, 2]', 'strictly increasing'],
    [() => multiStep({ lr, milestones: [-1] }), 'milestones is [-1]', '≥ 0'],
    [() => multiStep({ lr, milestones: Array(2) as never }), 'milestones is [', 'integers'],
    [() => multiStep({ lr, milestones: 5 as never }), 'milestones is 5', 'an array'],
    [() => multiStep({ lr, milestones: [1], boundary: 'before' as never }), '"before"', '"at", "after"'],
    [() => exponential({ lr } as never), 'gamma is undefined', '≥ 0'],
    [() => exponential({ lr, gamma: 0.9, decaySteps: 0 }), 'decaySteps is 0', 'an integer ≥ 1'],
    [() => exponential({ lr, gamma: 0.9, staircase: 1 as never }), 'staircase is 1', 'true or false'],
    [() => exponential({ lr, gamma: 0.9, endLr: -1 }), 'endLr is -1', '≥ 0'],
    [() => polynomial({ lr, totalIters: 0 }), 'totalIters is 0', 'an integer ≥ 1'],
    [() => polynomial({ lr, totalIters: 5, power: -1 }), 'power is -1', '≥ 0'],
    [() => linear({ lr, totalIters: 2 ** 53 }), 'totalIters is 9007199254740992', 'an integer ≥ 1'],
    [() => linear({ lr, totalIters: 5, startFactor: -1 }), 'startFactor is -1', '≥ 0'],
    [() => linear({ lr, totalIters: 5, startFactor: 1, startLr: 2 }), 'startFactor is 1', 'startLr is 2'],
    [() => linear({ lr, totalIters: 5, endFactor: 1, endLr: 2 }), 'endFactor is 1', 'endLr is 2'],
    [() => cosine({ lr, tMax: -5 }), 'tMax is -5', 'an integer ≥ 1'],
    [() => cosine({ lr, tMax: 5, etaMin: 0.2 }), 'etaMin is 0.2', 'lr 0.1'],
    [() => cosine({ lr, tMax: 5, afterEnd: 'stop' as never }), '"stop"', '"hold", "rise"'],
    [() => cosineRestarts({ lr, t0: 0 }), 't0 is 0', 'an integer ≥ 1'],
    [() => cosineRestarts({ lr, t0: 5, tMult: 0.5 }), 'tMult is 0.5', '≥ 1'],
    [() => cosineRestarts({ lr, t0: 5, etaMin: 0.2 }), 'etaMin is 0.2', 'lr 0.1'],
    [() => warmup(lr, {} as never), 'warmupSteps is undefined', 'an integer ≥ 1'],
    [() => warmup(lr, { warmupSteps: 0 }), 'warmupSteps is 0', 'an integer ≥ 1'],
    [() => warmup(-1, { warmupSteps: 1 }), 'the schedule is -1', '(step: number) => number'],
    [() => warmup([lr] as never, { warmupSteps: 1 }), 'the schedule is [0.1]', 'a finite number ≥ 0'],
    [() => warmup(lr, { warmupSteps: 1, startFactor: 0, startLr: 0 }), 'startFactor is 0', 'startLr is 0'],
    [() => warmup(lr, { warmupSteps: 1, mode: 'log' as never }), '"log"', '"linear"'],
    [() => warmup(lr, { warmupSteps: 1, mode: 'exponential' }), 'the start is 0', 'startLr > 0'],
    [() => warmup(lr, { warmupSteps: 1, position: 'inside' }), '"inside"', 'totalSteps is undefined'],
    [() => warmup(lr, { warmupSteps: 1, totalSteps: 9 }), '"outside"', 'totalSteps is 9'],
    [() => warmup(lr, { warmupSteps: 9, position: 'inside', totalSteps: 9 }), 'totalSteps is 9', 'more'],
    [() => oneCycle({ maxLr: -1, totalSteps: 5 }), 'maxLr is -1', '≥ 0'],
    [() => oneCycle({ maxLr: 1 }), 'totalSteps is undefined', 'give totalSteps, or epochs and stepsPerEpoch'],
    [() => oneCycle({ maxLr: 1, epochs: 5 }), 'epochs is 5', 'stepsPerEpoch is undefined'],
    [() => oneCycle({ maxLr: 1, totalSteps: 5, epochs: 5 }), 'totalSteps is 5', 'epochs is 5'],
    [() => oneCycle({ maxLr: 1, totalSteps: 5, pctStart: 1.1 }), 'pctStart is 1.1', '[0, 1]'],
    [() => oneCycle({ maxLr: 1, totalSteps: 5, divFactor: 0 }), 'divFactor is 0', '> 0'],
    [() => oneCycle({ maxLr: 1, totalSteps: 5, annealStrategy: 'cat' as never }), '"cat"', '"cos", "linear"'],
    [() => oneCycle({ maxLr: 1, totalSteps: 5, pctFinal: 0.5 }), 'pctFinal is 0.5', 'threePhase: true'],
    [() => oneCycle({ maxLr: 1, totalSteps: 5, pctStart: 0.6, threePhase: true }), 'pctStart is 0.6', '1.2'],
    [
      () => oneCycle({ maxLr: 1, totalSteps: 5, pctFinal: 0.2, threePhase: true }),
      'pctFinal 0.2',
      'pctStart',
    ],
    [() => piecewise({ boundaries: [1, 1], values: [1, 2, 3] }), 'boundaries is [1, 1]', 'increasing'],
    [() => piecewise({ boundaries: [1], values: [1] }), 'values is [1], of length 1', 'give 2'],
    [() => piecewise({ boundaries: [1], values: [1, -2] }), 'values is [1, -2]', '≥ 0'],
    [() => piecewise({ boundaries: [1], lr, scales: [1, 2] }), 'scales is [1, 2], of length 2', 'give 1'],
    [() => piecewise({ boundaries: [1], lr }), 'scales is undefined', 'give values, or lr and scales'],
    [() => piecewise({ boundaries: [1], values: [1, 2], scales: [1] }), 'scales is [1]', 'values, or'],
    [() => piecewise({ boundaries: [1], values: [1, 2], lr, scales: [1] }), 'lr is 0.1', 'values, or'],
    [() => join([], []), 'schedules is []', 'at least one'],
    [() => join([lr, lr], []), 'there are 2 schedules', 'boundaries is []', 'give 1'],
    [() => join([lr], [1]), 'there are 1 schedules', 'boundaries is [1]', 'give 0'],
    [() => join([lr, lr, lr], [5, 3]), 'boundaries is [5, 3]', 'increasing'],
    [() => join([lr, lr], [0]), 'boundaries is [0]', '≥ 1'],
    [() => join([lr, -1], [3]), 'schedules[1] is -1', 'a finite number ≥ 0'],
    [() => join(lr as never, []), 'schedules is 0.1', 'an array'],
    [() => product([]), 'schedules.product: schedules is []', 'at least one'],
    [() => product(lr as never), 'schedules is 0.1', 'an array'],
    [() => product([lr, -1]), 'schedules[1] is -1', 'a finite number ≥ 0'],
    [() => product(Array(1) as never), 'schedules[0] is undefined', 'a finite number ≥ 0'],
    [
      () => linearWithWarmup({ lr, numWarmupSteps: -1, numTrainingSteps: 9 }),
      'schedules.linearWithWarmup: numWarmupSteps is -1',
      'an integer ≥ 0',
    ],
    [
      () => linearWithWarmup({ lr, numTrainingSteps: 9 } as never),
      'numWarmupSteps is undefined',
      'an integer ≥ 0',
    ],
    [
      () => linearWithWarmup({ lr, numWarmupSteps: 0, numTrainingSteps: 0 }),
      'numTrainingSteps is 0',
      'an integer ≥ 1',
    ],
    [
      () => linearWithWarmup({ lr, numWarmupSteps: 9, numTrainingSteps: 9 }),
      'numTrainingSteps is 9, with numWarmupSteps 9',
      'more',
    ],
    [() => reduceOnPlateau({ lr, factor: 1 }), 'factor is 1', '[0, 1)'],
    [() => reduceOnPlateau({ lr, patience: -1 }), 'patience is -1', 'an integer ≥ 0'],
    [() => reduceOnPlateau({ lr, cooldown: 0.5 }), 'cooldown is 0.5', 'an integer ≥ 0'],
    [() => reduceOnPlateau({ lr, mode: 'auto' as never }), '"auto"', '"min", "max"'],
    [() => reduceOnPlateau({ lr, thresholdMode: 'r' as never }), '"r"', '"rel", "abs"'],
    [() => reduceOnPlateau({ lr, minLr: 0.2 }), 'minLr is 0.2', 'lr 0.1'],
    [() => reduceOnPlateau({ lr }).report('0.5' as never), 'metric is "0.5"', 'report a number'],
  ];

  test.for(cases.map(([make, ...says]) => ({ make, says })))('$says', ({ make, says }) => {
    let thrown: unknown;
    try {
      make();
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(OptimizerError);
    const { code, message } = thrown as OptimizerError;
    expect(code).toBe('invalid-option');
    for (const part of says) expect(message).toContain(part);
  });
});
