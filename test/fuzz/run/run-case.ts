import { Random } from '../../../proof/random.js';
import { type Case, losesDevice } from '../case/calls.js';
import { perform } from '../perform/perform.js';
import { type LiveBuffers, watchBuffers } from '../world/live.js';
import type { Checkpoint } from '../world/checkpoint.js';
import { Subject } from '../world/subject.js';
import { describeError } from '../world/verdicts.js';
import { World } from '../world/world.js';
import type { Devices } from './devices.js';
import type { Unhandled } from '../../support/unhandled.js';

/** What became of a case. */
export interface Outcome {
  /** What was against the model; empty if all was well. */
  readonly failures: readonly string[];
  readonly callCount: number;
}

/** Makes the calls of a case. */
export async function runCase(given: Case, devices: Devices, unhandled: Unhandled): Promise<Outcome> {
  const checkpoints = new Map<number, Promise<Checkpoint | undefined>>();
  const worlds: WatchedWorld[] = [];
  const failures: string[] = [];
  let callCount = 0;
  // A device that is lost is nobody else's.
  const open = async () => {
    const device = await devices.take(losesDevice(given));
    worlds.push(await openWorld(given, device, checkpoints));
  };
  try {
    await open();
    for (const call of given.calls) {
      if (call.kind === 'restore' && worlds.at(-1)!.world.isLost) await open();
      const { world } = worlds.at(-1)!;
      const waited = perform(world, call);
      if (waited) await waited;
      callCount++;
      if (worlds.some((each) => each.world.verdicts.failures.length > 0)) break;
    }
    for (const each of worlds) await finish(each);
  } catch (error) {
    failures.push(`thrown: ${describeError(error)}`);
  } finally {
    for (const each of worlds) each.stop();
  }
  failures.push(...worlds.flatMap(({ world }) => world.verdicts.failures));
  for (const error of unhandled.reasons.splice(0)) failures.push(`unhandled: ${describeError(error)}`);
  return { failures, callCount };
}

/** The calls that are made on one device, and what watches it. */
interface WatchedWorld {
  readonly world: World;
  readonly live: LiveBuffers;
  stop(): void;
}

async function openWorld(
  { plans }: Case,
  device: GPUDevice,
  checkpoints: World['checkpoints'],
): Promise<WatchedWorld> {
  const world = new World(device, plans[0]!, checkpoints);
  const uncaptured = ({ error }: GPUUncapturedErrorEvent) => {
    if (!world.isLost) world.verdicts.fail(`uncaptured ${error.constructor.name}: ${error.message}`);
  };
  device.addEventListener('uncapturederror', uncaptured);
  const live = watchBuffers(device);
  const unwatch = watchLoads(world);
  for (const [on, plan] of plans.entries()) {
    world.subjects.set(on, await Subject.make(on, plan, device, world.memory, new Random(plan.placeSeed)));
  }
  const stop = () => {
    live.stop();
    unwatch();
    device.removeEventListener('uncapturederror', uncaptured);
  };
  return { world, live, stop };
}

/** Tells the model when a checkpoint is loaded, which no promise does: by the label of the commands that do it. */
function watchLoads({ device, subjects }: World): () => void {
  const create = device.createCommandEncoder.bind(device);
  device.createCommandEncoder = (descriptor) => {
    for (const [on, { loading }] of subjects) {
      if (loading && descriptor?.label === `optimizer ${on} loadCheckpoint()`) loading.apply();
    }
    return create(descriptor);
  };
  return () => Reflect.deleteProperty(device, 'createCommandEncoder');
}

/** Waits for all that is under way, holds everything against the model, and destroys it. */
async function finish({ world, live }: WatchedWorld): Promise<void> {
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
  for (const { plan, heard, refusal } of subjects.values()) {
    for (const wrong of heard.failures) verdicts.fail(`onStep: ${wrong}`);
    if (plan.isHeard && heard.isSilent && !refusal && !world.isLost) verdicts.fail('onStep was never called');
  }
  if (!world.isLost) await world.checkMemory();
  for (const { optimizer, arena } of subjects.values()) {
    optimizer?.destroy();
    optimizer?.destroy();
    arena?.destroy();
  }
  world.destroy();
  // What the device has to say comes behind its work.
  if (!world.isLost) await device.queue.onSubmittedWorkDone();
  await new Promise((resolve) => setTimeout(resolve));
  const left = await live.left(world.hasEncoded);
  if (left.length > 0 && !world.isLost) verdicts.fail(`buffers left: ${left.join(', ')}`);
}
