/** A run that trains and saves in a page, until its GPU goes away, and goes on from what it saved last; bundled for a browser. */
import { Optimizer, OptimizerError, adam, saveCheckpoint } from '../../src/index.js';

/** What a run in a page came to. */
export interface RunOutcome {
  /** Codes of the errors of what was under way when the GPU went, by call; `none` for what came through. */
  readonly codes: Readonly<Record<string, string>>;
  /** Errors that nobody handled. */
  readonly unhandled: readonly string[];
  /** The step of the last checkpoint, that of the run that is resumed from it, and whether both runs' numbers are alike there. */
  readonly savedStep: number;
  readonly resumedStep: number;
  readonly isAlike: boolean;
}

/** What the page has when this was loaded. */
export interface RunPage {
  runUntilLost: typeof run;
}

/** So much that saving it takes a while. */
const ELEMENTS = 1_500_000;

async function openDevice(): Promise<GPUDevice> {
  // Chrome takes a moment to start another GPU process.
  for (let attempt = 0; attempt < 50; attempt++) {
    const adapter = await navigator.gpu.requestAdapter();
    if (adapter) return await adapter.requestDevice({ label: 'run' });
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('requestAdapter() gave null.');
}

function configOf(device: GPUDevice) {
  const { STORAGE, COPY_SRC, COPY_DST } = GPUBufferUsage;
  const make = (label: string) =>
    device.createBuffer({ label, size: 4 * ELEMENTS, usage: STORAGE | COPY_SRC | COPY_DST });
  const [data, grad] = [make('data'), make('grad')];
  device.queue.writeBuffer(grad, 0, new Float32Array(ELEMENTS).fill(0.5));
  return { rule: adam({ lr: 0.1 }), params: [{ name: 'w', data, grad }], skipNonFinite: true };
}

const codeOf = async (pending: Promise<unknown>): Promise<string> => {
  try {
    await pending;
    return 'none';
  } catch (error) {
    return error instanceof OptimizerError ? error.code : String(error);
  }
};

/** Saves until a save fails: whenever the GPU goes, one is under way. */
async function saveAgainAndAgain(optimizer: Optimizer): Promise<never> {
  for (;;) await saveCheckpoint(optimizer, 'bytes');
}

/** @param onBusy called when a save and all else are under way. */
async function run(onBusy: () => void): Promise<RunOutcome> {
  const unhandled: string[] = [];
  addEventListener('unhandledrejection', ({ reason }) => void unhandled.push(String(reason)));
  const device = await openDevice();
  const optimizer = await Optimizer.create(device, configOf(device));
  for (let k = 0; k < 3; k++) optimizer.step();
  const { bytes } = await saveCheckpoint(optimizer, 'bytes');
  const before = await optimizer.readParam('w');
  optimizer.step();
  const pending = {
    saveCheckpoint: codeOf(saveAgainAndAgain(optimizer)),
    stats: codeOf(optimizer.stats()),
    stateDict: codeOf(optimizer.stateDict()),
    readParam: codeOf(optimizer.readParam('w')),
    lost: device.lost.then(() => 'lost'),
  };
  onBusy();
  const codes: Record<string, string> = {};
  for (const [name, code] of Object.entries(pending)) codes[name] = await code;
  codes['a save afterwards'] = await codeOf(saveCheckpoint(optimizer, 'bytes'));
  optimizer.destroy();
  const next = await openDevice();
  const resumed = await Optimizer.restore(next, configOf(next), bytes);
  const after = await resumed.readParam('w');
  const { step: resumedStep } = await resumed.stats();
  const isAlike = after.every((value, k) => value === before[k]);
  next.destroy();
  return { codes, unhandled, savedStep: 3, resumedStep, isAlike };
}

Object.assign(globalThis, { runUntilLost: run } satisfies RunPage);
