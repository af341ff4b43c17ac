import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Optimizer, type SaveOptions, loadCheckpoint, saveCheckpoint } from '../../../src/index.js';
import { microtasks } from '../../support/live-buffers.js';
import { type Call, NEVER } from '../case/calls.js';
import { type Checkpoint, type Match, describeRun, loadRun, matchRun, readRun } from '../world/checkpoint.js';
import type { Subject } from '../world/subject.js';
import type { Expected } from '../world/verdicts.js';
import type { World } from '../world/world.js';

type SaveCall = Extract<Call, { readonly kind: 'saveCheckpoint' }>;
type SavedFile = Pick<Checkpoint, 'bytes'> & { readonly isCopied: boolean };
type LoadCall = Extract<Call, { readonly kind: 'loadCheckpoint' }>;

/** Saves a checkpoint, which is of this moment, whenever it is there. */
export function performSave(
  world: World,
  subject: Subject,
  { shelf, params, toFile, abortAfter }: SaveCall,
  what: string,
): void {
  const { trainingRefusal, optimizer } = subject;
  const run = trainingRefusal ? undefined : describeRun(subject, params);
  const signal = signalAfter(abortAfter);
  const options = { params, ...(signal && { signal }) };
  const saved = toFile
    ? saveToFile(world, optimizer!, options)
    : saveCheckpoint(optimizer!, 'bytes', options);
  const kept = saved.then(
    ({ bytes }): Checkpoint | undefined => run && { bytes, run },
    () => undefined,
  );
  world.checkpoints.set(shelf, kept);
  const read = saved.then(({ bytes, isCopied }) => {
    if (!isCopied) world.verdicts.fail(`${what}: there was memory, but the state was not copied`);
    return readRun(bytes, run);
  });
  const expected = world.expected<unknown>(trainingRefusal, () => [subject.refusal]);
  world.verdicts.expect(what, read, {
    ...ended(expected, signal),
    ...(run && !world.isLost && { value: run }),
  });
}

/** Saves to a file, in a folder of its own. @returns what it holds. */
async function saveToFile(world: World, optimizer: Optimizer, options: SaveOptions): Promise<SavedFile> {
  const folder = mkdtempSync(join(tmpdir(), 'webgpu-optim-fuzz-'));
  const path = join(folder, 'run.safetensors');
  try {
    const { isCopied } = await saveCheckpoint(optimizer, { path }, options);
    return { isCopied, bytes: new Uint8Array(readFileSync(path)) };
  } finally {
    const left = readdirSync(folder).filter((name) => name !== 'run.safetensors');
    rmSync(folder, { recursive: true });
    if (left.length > 0) world.verdicts.fail(`a save left ${left.join(', ')}`);
  }
}

/**
 * Loads a checkpoint: that of the shelf, unless another fits better. Nobody knows when it is read, so that the model loads it when it
 * sees that the library does; until then the run goes on.
 */
export async function performLoadCheckpoint(
  world: World,
  subject: Subject,
  { shelf, strict, abortAfter, damage, damageAt }: LoadCall,
  what: string,
): Promise<void> {
  if (subject.loading) return;
  const found = await choose(world, subject, shelf, strict);
  if (!found || subject.loading) return;
  const { trainingRefusal, changes, evaluations } = subject;
  const signal = signalAfter(abortAfter);
  const loading = expectLoad(world, subject, found, strict, damage === 'none', what);
  const options = { ...(!strict && { strict }), ...(signal && { signal }) };
  const bytes = damaged(found.checkpoint.bytes, damage, damageAt);
  const loaded = loadCheckpoint(subject.optimizer!, bytes, options).finally(() => loading.end());
  const mayNotFit = () => {
    // Groups may have joined since.
    world.notice(subject);
    return !found.match || subject.changes > changes || damage !== 'none';
  };
  const expected = world.expected<void>(trainingRefusal, () => [
    subject.refusal,
    subject.evaluations > evaluations ? 'invalid-config' : undefined,
    ...(mayNotFit() ? (['invalid-state-dict', 'invalid-checkpoint'] as const) : []),
    damage === 'none' ? undefined : 'invalid-safetensors',
  ]);
  const judged = loaded.then((names) => world.verdicts.same(what, names, loading.names));
  world.verdicts.expect(what, judged, ended(expected, signal));
}

/** Makes an optimizer that is not there yet from a checkpoint. */
export async function performRestore(
  world: World,
  subject: Subject,
  shelf: number,
  what: string,
): Promise<void> {
  if (subject.optimizer || subject.loading || subject.isArenaDestroyed || world.isLost) return;
  const found = await choose(world, subject, shelf, true);
  if (!found) return;
  const loading = expectLoad(world, subject, found, true, true, what);
  const restored = subject.restore(found.checkpoint.bytes).finally(() => loading.end());
  subject.ready = restored.then(
    (optimizer) => (subject.optimizer = optimizer),
    () => undefined,
  );
  const refusal = found.match ? undefined : ('invalid-state-dict' as const);
  world.verdicts.expect(what, restored, world.expected(refusal));
  // Till it is there, nothing else is made of it.
  await subject.ready;
}

interface Found {
  readonly checkpoint: Checkpoint;
  readonly match: Match | undefined;
}

async function choose(
  world: World,
  subject: Subject,
  shelf: number,
  strict: boolean,
): Promise<Found | undefined> {
  const rank = (k: number) => (k === shelf ? -1 : k);
  const saved = await Promise.all(
    [...world.checkpoints].toSorted(([a], [b]) => rank(a) - rank(b)).map(([, each]) => each),
  );
  // Groups may have joined meanwhile.
  world.notice(subject);
  const { twin } = subject;
  const known = saved
    .filter((each) => each !== undefined)
    // Of others the model does not know what comes of them.
    .filter(
      ({ run: { dict } }) =>
        dict.rule === twin.rule.name && (dict.control !== undefined) === twin.countsOnGpu,
    )
    .map((checkpoint): Found => ({ checkpoint, match: matchRun(checkpoint.run, subject, strict) }));
  return known.find(({ match }) => match) ?? known[0];
}

/** Has the model load a checkpoint as soon as the library does. */
function expectLoad(
  world: World,
  subject: Subject,
  { checkpoint: { run } }: Found,
  strict: boolean,
  isSound: boolean,
  what: string,
) {
  const state = {
    names: undefined as Match['names'] | undefined,
    end: () => (subject.loading = undefined),
  };
  subject.loading = {
    apply: () => {
      if (state.names) return;
      world.notice(subject);
      const match = matchRun(run, subject, strict);
      if (!match || !isSound || subject.trainingRefusal)
        return world.verdicts.fail(`${what}: loaded, but to be refused`);
      state.names = match.names;
      loadRun(run, subject, match);
      world.noteLoad(subject);
    },
  };
  return state;
}

/** What a signal may end, and has to if it was given at once. */
const ended = <T>(expected: Expected<T>, signal: AbortSignal | undefined): Expected<T> => ({
  ...expected,
  isRefused: expected.isRefused === true || signal?.aborted === true,
  signal,
});

/** A signal that ends what it is given to, so many turns of the queue of microtasks from now. */
function signalAfter(turns: number): AbortSignal | undefined {
  if (turns === NEVER) return undefined;
  const controller = new AbortController();
  const abort = () => controller.abort(new Error(`aborted after ${turns} turns`));
  if (turns === 0) abort();
  // Some work takes longer than microtasks.
  else
    void (
      turns % 3 === 0 ? new Promise((resolve) => setTimeout(resolve, turns / 3)) : microtasks(turns)
    ).then(abort);
  return controller.signal;
}

function damaged(
  bytes: Uint8Array<ArrayBuffer>,
  damage: LoadCall['damage'],
  at: number,
): Uint8Array<ArrayBuffer> {
  const position = Math.floor((at * bytes.length) / 100);
  if (damage === 'cut') return bytes.slice(0, position);
  const copy = bytes.slice();
  if (damage === 'bit') copy[position]! ^= 1;
  return copy;
}
