import { Random } from '../../../proof/random.js';
import { microtasks } from '../../support/live-buffers.js';
import { makeBad } from './bad-calls.js';
import { type Call, NO_ENCODER } from '../case/calls.js';
import { writeGradients } from '../world/homes.js';
import { makeRate } from '../case/plans.js';
import { performLoad, performReading } from './readings.js';
import { performEdit } from './edit.js';
import { performLife } from './life.js';
import { performMap } from './map.js';
import { performArena } from './arenas.js';
import { performLoadCheckpoint, performRestore, performSave } from './checkpoints.js';
import { performRebind } from './rebind.js';
import type { Subject } from '../world/subject.js';
import type { TensorTwin } from '../model/twin-tensor.js';
import type { World } from '../world/world.js';

/** Names a call in messages. */
export function describeCall(call: Call): string {
  const { kind, ...rest } = call;
  return `${kind} ${JSON.stringify(rest)}`;
}

/**
 * Makes one call, and has the model make it; what makes no sense as things are is left out.
 *
 * @returns what is to be waited for before the next one; nothing, mostly, so that calls follow each other at once.
 */
export function perform(world: World, call: Call): Promise<void> | void {
  if (call.kind === 'submit') return world.submit(call.encoders);
  if (call.kind === 'drop') return world.drop(call.encoder);
  if (call.kind === 'pause') return pause(call.turns);
  if (call.kind === 'lose') {
    world.isLost = true;
    return world.device.destroy();
  }
  const subject = world.subjects.get(call.on);
  if (!subject) return undefined;
  if (call.kind === 'create') return performCreate(world, subject, call.sync);
  if (call.kind === 'gradients') return performGradients(world, subject, call);
  if (call.kind === 'restore') return performRestore(world, subject, call.shelf, describeCall(call));
  if (subject.optimizer) return performOn(world, subject, subject.optimizer, call);
  // Nobody has an optimizer before it is there.
  return subject.ready.then(() => subject.optimizer && performOn(world, subject, subject.optimizer, call));
}

async function pause(turns: number): Promise<void> {
  await microtasks(turns);
  if (turns % 3 === 0) await new Promise((resolve) => setTimeout(resolve));
}

type OnOptimizer = Exclude<
  Call,
  { readonly kind: 'submit' | 'drop' | 'pause' | 'lose' | 'create' | 'gradients' | 'restore' }
>;

/** Calls that may change whether a checkpoint fits. */
const CHANGES: ReadonlySet<Call['kind']> = new Set([
  'addGroup',
  'remove',
  'removeGroup',
  'set',
  'mapRows',
  'lr',
]);

function performOn(
  world: World,
  subject: Subject,
  optimizer: NonNullable<Subject['optimizer']>,
  call: OnOptimizer,
): Promise<void> | void {
  world.notice(subject);
  if (CHANGES.has(call.kind)) subject.changes++;
  const { twin } = subject;
  const what = describeCall(call);
  const { refusal, trainingRefusal } = subject;
  // With weights astray, what one may do is to put them right.
  const isAstray = twin.isAstray || world.hasPendingEvaluation(subject);
  switch (call.kind) {
    case 'step': {
      if (isAstray) return;
      const skipped = new Set(twin.tensors.filter((_, k) => ((call.skip >> (k % 31)) & 1) === 1));
      const skip = [...skipped].map(({ name }) => name);
      const isTimed = call.isTimed && !(call.inPass && call.encoder !== NO_ENCODER);
      const options =
        call.skip === 0 && !isTimed
          ? undefined
          : { skip, ...(isTimed && { timestampWrites: world.timestampWrites }) };
      const make = (encoder: GPUCommandEncoder | undefined) => {
        if (!encoder) return optimizer.step(options);
        if (!call.inPass) return optimizer.encode(encoder, options);
        const pass = encoder.beginComputePass({ label: 'caller pass' });
        try {
          return optimizer.encode(pass, options);
        } finally {
          pass.end();
        }
      };
      const leavesOut = skipped.size > 0 || twin.tensors.some(({ isFrozen }) => isFrozen);
      const kind = leavesOut ? 'step that leaves out' : 'step';
      const isRested = twin.tensors.every(({ isFrozen }) => isFrozen);
      const code = trainingRefusal ?? (isRested ? 'invalid-config' : undefined);
      const note = () => {
        const run = twin.step(skipped);
        return () => {
          run();
          // What is encoded is not told of.
          if (call.encoder === NO_ENCODER) subject.heard.expect(twin.stats());
        };
      };
      world.act(what, subject, code, call.encoder, make, note, kind);
      return;
    }
    case 'zeroGrad':
      world.act(
        what,
        subject,
        refusal,
        call.encoder,
        (e) => optimizer.zeroGrad(e),
        () => twin.zeroGrad(),
      );
      return;
    case 'accumulate': {
      const hasMicro = twin.tensors.some(({ home }) => home.micro);
      const code = refusal ?? (hasMicro ? undefined : 'invalid-config');
      world.act(
        what,
        subject,
        code,
        call.encoder,
        (e) => optimizer.accumulate(e),
        () => twin.accumulate(),
      );
      return;
    }
    case 'eval':
    case 'train': {
      const isEval = call.kind === 'eval';
      if (isEval && isAstray) return;
      // State may move at any moment: weights are put back before it does.
      const hasMoving = [...subject.joining].some(({ moved }) => moved.length > 0);
      const encoder = hasMoving || subject.loading ? NO_ENCODER : call.encoder;
      const code = refusal ?? (twin.defaultSource ? undefined : 'invalid-config');
      const make = (e: GPUCommandEncoder | undefined) => (isEval ? optimizer.eval(e) : optimizer.train(e));
      if (isEval) subject.evaluations++;
      world.act(what, subject, code, encoder, make, () => twin.evaluate(isEval), 'evaluation');
      return;
    }
    case 'swapEma': {
      if (isAstray) return;
      const code = refusal ?? (twin.swapsTo === undefined ? 'invalid-config' : undefined);
      subject.evaluations++;
      const note = () => twin.evaluate(twin.swapsTo!, 'ema');
      world.act(what, subject, code, NO_ENCODER, () => optimizer.swapEma(), note);
      return;
    }
    case 'addGroup':
    case 'freeze':
    case 'unfreeze':
    case 'remove':
    case 'removeGroup':
    case 'set':
      if (!isAstray) performLife(world, subject, call, what);
      return;
    case 'mapRows':
      if (!isAstray) performMap(world, subject, call, what);
      return;
    case 'writeState':
    case 'resetState':
    case 'copyState':
      if (!isAstray) performEdit(world, subject, call, what);
      return;
    case 'rebind':
      performRebind(world, subject, call, what);
      return;
    case 'lr': {
      const group = call.group < 0 ? undefined : call.group % twin.groups.length;
      const target = group === undefined ? optimizer : optimizer.groups[group]!;
      const set = () => (target.lr = makeRate(call.lr));
      if (world.verdicts.attempt(what, world.expected(refusal), set)) twin.setLr(makeRate(call.lr), group);
      return;
    }
    case 'gradScale':
      if (world.verdicts.attempt(what, world.expected(refusal), () => (optimizer.gradScale = call.value)))
        twin.gradScale = call.value;
      return;
    case 'report':
      for (const lr of new Set(optimizer.groups.map(({ rule }) => rule.options.lr)))
        if (typeof lr === 'function' && 'report' in lr) (lr.report as (metric: number) => void)(call.metric);
      twin.report(call.metric);
      return;
    case 'load':
      return isAstray ? undefined : performLoad(world, subject, call, what);
    case 'loadCheckpoint':
      return isAstray ? undefined : performLoadCheckpoint(world, subject, call, what);
    case 'saveCheckpoint':
      return performSave(world, subject, call, what);
    case 'arenaLoad':
    case 'arenaRead':
    case 'arenaReadGrad':
    case 'arenaInitialize':
    case 'arenaZeroGrad':
      return performArena(world, subject, call, what);
    case 'bad':
      if (!isAstray) makeBad(world, subject, call.which);
      return;
    case 'destroy':
      optimizer.destroy();
      twin.isDestroyed = true;
      return;
    case 'destroyArena':
      if (!subject.arena) return;
      subject.arena.destroy();
      subject.isArenaDestroyed = true;
      return;
    default:
      performReading(world, subject, call, what);
  }
}

function performCreate(world: World, subject: Subject, isSync: boolean): void {
  if (subject.optimizer || subject.isArenaDestroyed) return;
  if (isSync) {
    const make = () => (subject.optimizer = subject.createSync());
    world.verdicts.attempt('createSync', world.expected(undefined), make);
    return;
  }
  const created = subject.create().then((optimizer) => {
    // Asked for twice: the second one has no part in the run.
    if (subject.optimizer) optimizer.destroy();
    return (subject.optimizer ??= optimizer);
  });
  subject.ready = created.catch(() => undefined);
  world.verdicts.expect('create', created, world.expected(undefined));
}

function performGradients(
  world: World,
  { plan, twin, isArenaDestroyed }: Subject,
  { seed, poison }: Extract<Call, { kind: 'gradients' }>,
): void {
  if (isArenaDestroyed) return;
  const { skipNonFinite, lossScale } = plan.settings;
  const maySkip = skipNonFinite === true || typeof lossScale === 'object';
  writeGradients(
    twin.tensors.map(({ home }: TensorTwin) => home),
    world.memory,
    new Random(seed),
    { hasExactNorms: plan.hasExactNorms, poison: maySkip ? [undefined, NaN, Infinity][poison] : undefined },
  );
}
