import { describe, expect, test } from 'vitest';
import {
  OptimizerError,
  type ReferenceConfig,
  ReferenceOptimizer,
  adam,
  scheduleFreeSgd,
  sgd,
} from '../../src/index.js';

/** SGD with rate 1 on gradients of −1 counts: the weight after step t is t. */
function counter(config: Partial<ReferenceConfig>, data = Float64Array.of(0)) {
  const optimizer = new ReferenceOptimizer({
    rule: sgd({ lr: 1 }),
    params: [{ name: 'w', data }],
    ...config,
  });
  return { optimizer, data, count: (steps: number) => repeat(steps, () => optimizer.step([[-1]])) };
}

function repeat(times: number, act: () => void): void {
  for (let k = 0; k < times; k++) act();
}

const EMA = { ema: { decay: 0.5 } };
const SWA = { swa: { start: 1, period: 1 } };

describe('eval and train', () => {
  test.for<[string, Partial<ReferenceConfig>, number]>([
    ['the exponential moving average', EMA, 1.25],
    ['the stochastic average', SWA, 1.5],
    ['the former, where there are both', { ...SWA, ...EMA }, 1.25],
    // z = 2 after two steps, and x their mean; y = z + β(x − z).
    [
      'what a schedule-free rule has, whatever the averages',
      { rule: scheduleFreeSgd({ lr: 1, momentum: 0.5 }), ...EMA },
      1.5,
    ],
  ])('serve %s, and put the weights that train back', ([, config, served]) => {
    const { optimizer, data, count } = counter(config);
    count(2);
    const [trained, state] = [data[0], optimizer.stateDict()];
    optimizer.eval();
    optimizer.eval();
    expect([data[0], optimizer.readParam('w')[0]]).toEqual([served, served]);
    optimizer.train();
    optimizer.train();
    expect(data[0]).toBe(trained);
    expect(optimizer.stateDict()).toEqual(state);
    count(1);
  });

  test('leave a parameter alone that has made no step, for it has no average yet', () => {
    const { optimizer, data, count } = counter(EMA, Float64Array.of(7));
    optimizer.eval();
    expect(data[0]).toBe(7);
    optimizer.train();
    optimizer.step([], { skip: ['w'] });
    optimizer.eval();
    expect(data[0]).toBe(7);
    optimizer.train();
    expect(data[0]).toBe(7);
    count(1);
    optimizer.eval();
    expect(data[0]).toBe(7.5);
  });

  test('keep the bits of subnormals, in float32', () => {
    const { optimizer, count } = counter({ ...EMA, precision: 'f32' });
    count(1);
    const dict = optimizer.stateDict();
    dict.state['w']!['ema']![0] = 1e-40;
    optimizer.loadStateDict(dict);
    optimizer.eval();
    expect(optimizer.readParam('w')[0]).toBe(Math.fround(1e-40));
  });

  test.for(['step', 'stateDict', 'loadStateDict'] as const)('%s waits for the weights that train', (call) => {
    const { optimizer, data, count } = counter(EMA);
    count(2);
    const dict = optimizer.stateDict();
    const calls = {
      step: () => optimizer.step([[-1]]),
      stateDict: () => optimizer.stateDict(),
      loadStateDict: () => optimizer.loadStateDict(dict),
    };
    for (const serve of [() => optimizer.eval(), () => optimizer.swapEma()]) {
      serve();
      expect(calls[call]).toThrow(`${call}() was called after eval(); call train() first`);
      expect(calls[call]).toThrow(OptimizerError);
      expect(data[0]).toBe(1.25);
      optimizer.train();
    }
    calls[call]();
  });

  test('are refused where there is nothing else to evaluate with', () => {
    const { optimizer } = counter({ rule: adam(), lookahead: { every: 2, alpha: 0.5 } });
    for (const call of [() => optimizer.eval(), () => optimizer.train()]) {
      expect(call).toThrow('adam evaluates with the weights that it trains; leave the call out');
    }
  });
});

describe('swapEma', () => {
  test('exchanges there and back, as eval and train do', () => {
    const { optimizer, data, count } = counter(EMA);
    count(2);
    optimizer.swapEma();
    expect(data[0]).toBe(1.25);
    optimizer.swapEma();
    expect(data[0]).toBe(2);
    optimizer.eval();
    optimizer.swapEma();
    expect(data[0]).toBe(2);
    optimizer.swapEma();
    optimizer.train();
    expect(data[0]).toBe(2);
  });

  test('is refused without an average, and while other weights are served', () => {
    expect(() => counter(SWA).optimizer.swapEma()).toThrow("no state 'ema'; configure ema");
    const { optimizer, count } = counter({ rule: scheduleFreeSgd({ lr: 1 }), ...EMA });
    count(1);
    optimizer.eval();
    expect(() => optimizer.swapEma()).toThrow('call train() first');
    optimizer.train();
    optimizer.swapEma();
  });
});
