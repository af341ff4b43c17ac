import { Random } from '../../proof/random.js';
import { type Case, type Call } from './calls.js';
import { watchBuffers } from './live.js';
import { perform } from './perform.js';
import { Subject } from './subject.js';
import { World } from './world.js';

/** What became of a case. */
export interface Outcome {
  /** What was against the model; empty if all was well. */
  readonly failures: readonly string[];
  readonly callCount: number;
}

/** Errors that nobody handled, as they come. */
export interface Unhandled {
  /** Takes those that there are. */
  take(): string[];
}

/**
 * Makes the calls of a case on a device.
 *
 * @param calls some of those of the case, in their order.
 */
export async function runCase(
  { plans }: Case,
  calls: readonly Call[],
  device: GPUDevice,
  unhandled: Unhandled,
): Promise<Outcome> {
  const world = new World(device, new Random(plans[0]!.placeSeed));
  const { verdicts, memory } = world;
  const uncaptured = (event: GPUUncapturedErrorEvent) => {
    if (!world.isLost) verdicts.fail(`uncaptured ${event.error.constructor.name}: ${event.error.message}`);
  };
  device.addEventListener('uncapturederror', uncaptured);
  const live = watchBuffers(device);
  let callCount = 0;
  try {
    for (const [on, plan] of plans.entries()) {
      world.subjects.set(on, await Subject.make(plan, device, memory, new Random(plan.placeSeed)));
    }
    for (const call of calls) {
      const waited = perform(world, call);
      if (waited) await waited;
      callCount++;
      if (verdicts.failures.length > 0) break;
    }
    await finish(world);
    const left = await live.left(world.hasEncoded);
    if (left.length > 0 && !world.isLost) verdicts.fail(`buffers left: ${left.join(', ')}`);
  } catch (error) {
    verdicts.fail(`thrown: ${error instanceof Error ? error.stack : String(error)}`);
  } finally {
    live.stop();
    device.removeEventListener('uncapturederror', uncaptured);
  }
  for (const error of unhandled.take()) verdicts.fail(`unhandled: ${error}`);
  return { failures: verdicts.failures, callCount };
}

/** Waits for all that is under way, holds everything against the model, and destroys it. */
async function finish(world: World): Promise<void> {
  const { subjects, verdicts, device } = world;
  await Promise.all([...subjects.values()].map(({ ready }) => ready));
  await verdicts.settle();
  for (const subject of subjects.values()) {
    world.notice(subject);
    const { optimizer, twin, refusal } = subject;
    if (!optimizer || refusal || world.isLost) continue;
    for (const tensor of twin.tensors) {
      world.expectValue(
        `${tensor.name} at the end`,
        optimizer.readParam(tensor.name),
        subject,
        undefined,
        tensor.weights,
      );
    }
    if (!twin.isEvaluating) {
      world.expectValue('stateDict at the end', optimizer.stateDict(), subject, undefined, twin.stateDict());
    }
  }
  await verdicts.settle();
  if (!world.isLost) await world.checkMemory();
  for (const { optimizer, arena } of subjects.values()) {
    optimizer?.destroy();
    optimizer?.destroy();
    arena?.destroy();
  }
  world.memory.destroy();
  // What the device has to say comes behind its work.
  if (!world.isLost) await device.queue.onSubmittedWorkDone();
  await new Promise((resolve) => setTimeout(resolve));
}
