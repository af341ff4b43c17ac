/** When an optimizer may be used, and what becomes of the promises that it gave out. */
import { describe, expect, test, vi } from 'vitest';
import { UsageGuard } from '../../src/engine/guard.js';
import { type StepStats, reportStep } from '../../src/engine/stats.js';
import { OptimizerError } from '../../src/errors.js';
import { checkEncoder, encodeOrSubmit } from '../../src/gpu/commands.js';
import { checkDevice, noticeLostDevice, settleOrLose } from '../../src/gpu/device.js';
import { errorOf } from '../support/error-of.js';

/** What of a device is used before anything is made of it, without a GPU; it is lost on demand. */
function fakeDevice() {
  let lose: (info: unknown) => void = () => undefined;
  const lost = new Promise((resolve) => (lose = resolve));
  const nothing = () => undefined;
  const device = {
    lost,
    queue: { submit: nothing },
    createBuffer: nothing,
    createBindGroup: nothing,
    createCommandEncoder: nothing,
    pushErrorScope: nothing,
  } as unknown as GPUDevice;
  return { device, lose: () => lose({ reason: 'unknown', message: 'gone' }) };
}

const never = new Promise<number>(() => undefined);

describe('devices', () => {
  test('are known by what is used of them, not by their class', async () => {
    const { device } = fakeDevice();
    expect(() => checkDevice(device)).not.toThrow();
    for (const other of [
      undefined,
      null,
      5,
      {},
      Object.create(device, { queue: { value: undefined } }),
      () => 1,
    ]) {
      const error = await errorOf(() => checkDevice(other));
      expect([error.code, error.message]).toEqual([
        'invalid-config',
        expect.stringContaining('give a GPUDevice'),
      ]);
    }
  });

  test('that are lost are refused', async () => {
    const { device, lose } = fakeDevice();
    await noticeLostDevice(device);
    lose();
    expect((await errorOf(() => noticeLostDevice(device))).code).toBe('device-lost');
    expect((await errorOf(() => checkDevice(device))).message).toContain('gone');
    const unwatched = fakeDevice();
    unwatched.lose();
    expect((await errorOf(() => noticeLostDevice(unwatched.device))).code).toBe('device-lost');
  });

  test('that are lost reject what they owe, whether they settle it or not', async () => {
    const { device, lose } = fakeDevice();
    expect(await settleOrLose(device, Promise.resolve(1))).toBe(1);
    const owed = settleOrLose(device, never);
    const aborted = settleOrLose(device, Promise.reject(new DOMException('aborted', 'AbortError')));
    const ours = settleOrLose(device, Promise.reject(new OptimizerError('out-of-memory', 'ours')));
    expect((await errorOf(() => ours)).code).toBe('out-of-memory');
    lose();
    expect((await errorOf(() => owed)).code).toBe('device-lost');
    expect((await errorOf(() => aborted)).code).toBe('device-lost');
    expect((await errorOf(() => settleOrLose(device, never))).code).toBe('device-lost');
    expect(await settleOrLose(device, Promise.resolve(1))).toBe(1);
  });

  test('encoders too', async () => {
    const nothing = () => undefined;
    const encoder = { beginComputePass: nothing, copyBufferToBuffer: nothing, clearBuffer: nothing };
    expect(() => checkEncoder(encoder, 'encode()')).not.toThrow();
    for (const other of [{}, { beginComputePass: nothing }]) {
      expect((await errorOf(() => checkEncoder(other, 'encode()'))).message).toContain(
        'device.createCommandEncoder()',
      );
    }
  });

  test('what a caller gives no encoder for is submitted, and nothing else', async () => {
    const nothing = () => undefined;
    const encoder = { beginComputePass: nothing, copyBufferToBuffer: nothing, clearBuffer: nothing };
    const given = encoder as unknown as GPUCommandEncoder;
    const own = { finish: () => 'commands' };
    const [encode, submit] = [vi.fn<(commands: unknown) => void>(), vi.fn<(commands: unknown) => void>()];
    const device = { createCommandEncoder: () => own, queue: { submit } } as unknown as GPUDevice;
    encodeOrSubmit(device, given, 'label', 'eval()', encode);
    expect([encode.mock.calls, submit.mock.calls]).toEqual([[[given]], []]);
    encodeOrSubmit(device, undefined, 'label', 'eval()', encode);
    expect([encode.mock.calls, submit.mock.calls]).toEqual([[[given], [own]], [[['commands']]]]);
    const refused = await errorOf(() => encodeOrSubmit(device, {} as never, 'label', 'eval()', encode));
    expect(refused.message).toContain('eval(): encoder is {  }');
    expect(encode).toHaveBeenCalledTimes(2);
  });
});

describe('the guard', () => {
  test('refuses use after destroy()', async () => {
    const guard = new UsageGuard(fakeDevice().device);
    guard.check('step()');
    expect([guard.destroy(), guard.destroy()]).toEqual([true, false]);
    const error = await errorOf(() => guard.check('lr ='));
    expect([error.code, error.message]).toEqual([
      'destroyed',
      expect.stringContaining('lr = was called after destroy()'),
    ]);
    expect(guard.isOver).toBe(true);
  });

  test('refuses to train with the weights to evaluate with', async () => {
    const guard = new UsageGuard(fakeDevice().device);
    guard.isEvaluating = true;
    guard.check('readParam()');
    expect((await errorOf(() => guard.checkTraining('step()'))).message).toContain('train() first');
  });

  test('refuses what a schedule calls, and no more afterwards', async () => {
    const guard = new UsageGuard(fakeDevice().device);
    const asked = (call: () => void) => errorOf(() => guard.whileAsking('step()', call));
    expect((await asked(() => guard.check('addGroupSync()'))).message).toContain(
      'addGroupSync() was called by a schedule while step()',
    );
    expect((await asked(() => void guard.destroy())).message).toContain('destroy() was called by a schedule');
    expect(guard.whileAsking('step()', () => 7)).toBe(7);
    guard.check('step()');
  });

  test('tells of what was rejected later, once it is known', async () => {
    const guard = new UsageGuard(fakeDevice().device);
    guard.failWith(Promise.reject(new OptimizerError('shader', 'broken')));
    guard.check('step()');
    await Promise.resolve();
    guard.failWith(Promise.reject(new OptimizerError('out-of-memory', 'later')));
    await Promise.resolve();
    expect((await errorOf(() => guard.check('step()'))).code).toBe('shader');
    expect(guard.isOver).toBe(true);
  });

  test('explains what fails since the optimizer was destroyed', async () => {
    const guard = new UsageGuard(fakeDevice().device);
    let fail: (error: Error) => void = () => undefined;
    const settled = guard.settle('stats()', new Promise<void>((_, reject) => (fail = reject)));
    guard.destroy();
    fail(new Error('raw'));
    expect((await errorOf(() => settled)).code).toBe('destroyed');
    const told = Promise.reject(new OptimizerError('out-of-memory', 'told'));
    expect((await errorOf(() => guard.settle('stats()', told))).code).toBe('out-of-memory');
  });

  test('rejects what it gave out once the device is lost', async () => {
    const { device, lose } = fakeDevice();
    const settled = new UsageGuard(device).settle('stats()', never);
    lose();
    expect((await errorOf(() => settled)).code).toBe('device-lost');
    expect((await errorOf(() => new UsageGuard(device).check('step()'))).code).toBe('device-lost');
    // A read that is given up before the device says that it is lost.
    const aborted = new UsageGuard(fakeDevice().device).settle('stats()', Promise.reject(new Error('raw')));
    expect((await errorOf(() => aborted)).code).toBe('device-lost');
  });
});

describe('onStep', () => {
  const stats = { step: 1 } as StepStats;
  const flush = () => new Promise((resolve) => setTimeout(resolve));

  test('that throws is reported as a listener’s error, once', async () => {
    const done = vi.fn<() => void>();
    const report = vi.fn<(error: unknown) => void>();
    vi.stubGlobal('reportError', report);
    void reportStep(
      () => {
        throw new Error('mine');
      },
      Promise.resolve(stats),
      new UsageGuard(fakeDevice().device),
      done,
    );
    await flush();
    vi.stubGlobal('reportError', undefined);
    expect(report.mock.calls.map(([error]) => (error as Error).message)).toEqual(['mine']);
    const log = vi.spyOn(console, 'error').mockReturnValue();
    void reportStep(
      () => {
        throw new Error('mine');
      },
      Promise.resolve(stats),
      new UsageGuard(fakeDevice().device),
      done,
    );
    await flush();
    expect(log).toHaveBeenCalledTimes(1);
    expect(done).toHaveBeenCalledTimes(2);
    log.mockRestore();
    vi.unstubAllGlobals();
  });

  test('is not called, nor is anything reported, where the optimizer ended', async () => {
    const log = vi.spyOn(console, 'error').mockReturnValue();
    const [onStep, done] = [vi.fn<(given: StepStats) => void>(), vi.fn<() => void>()];
    const guard = new UsageGuard(fakeDevice().device);
    guard.failWith(Promise.reject(new OptimizerError('shader', 'broken')));
    void reportStep(onStep, Promise.reject(new OptimizerError('shader', 'broken')), guard, done);
    await flush();
    expect(onStep).not.toHaveBeenCalled();
    expect(done).toHaveBeenCalledTimes(1);
    expect(log).not.toHaveBeenCalled();
    log.mockRestore();
  });
});
