import { Optimizer, adam, saveCheckpoint } from '../../src/index.js';
import { runShort } from '../support/shortage.js';
import { countObjects } from './live-objects.js';

/** What a save took at its peak, in bytes. */
export interface SavePeak {
  readonly isCopied: boolean;
  /** Bytes of state, moments of Adam, and of all that was written: weights, too. */
  readonly stateBytes: number;
  readonly writtenBytes: number;
  /** Of buffers that the save made: the copy, and what it is read through. */
  readonly gpuBytes: number;
  /** By how much the process grew; buffers of software adapters lie in it. */
  readonly processBytes: number;
}

/** What `npm run save-peak` was asked for. */
export interface SavePeakOptions {
  readonly stateBytes: number;
  readonly gpu: GPU;
  readonly collect: () => void;
}

/** Elements of a tensor: small enough for the limits of every device. */
const MOST_ELEMENTS = 2 ** 22;
/** Moments per element, and bytes of them. */
const STATE_BYTES = 8;

/** Saves a run to nowhere, with a copy of its state and without one. */
export async function measureSaves({ stateBytes, gpu, collect }: SavePeakOptions): Promise<SavePeak[]> {
  const adapter = await gpu.requestAdapter();
  if (!adapter) throw new Error('requestAdapter() gave null: Node found no Vulkan driver that Dawn can use.');
  const device = await adapter.requestDevice({ label: 'save peak' });
  const optimizer = await makeRun(device, Math.ceil(stateBytes / STATE_BYTES));
  const live = countObjects(device);
  const peaks: SavePeak[] = [];
  for (const hasMemory of [true, false]) {
    const shortage = runShort(device, ({ label }) => !hasMemory && label?.endsWith(' checkpoint') === true);
    await device.queue.onSubmittedWorkDone();
    collect();
    const [gpuBefore, before] = [live.bufferBytes, process.memoryUsage.rss()];
    let [gpuBytes, processBytes, writtenBytes] = [0, 0, 0];
    const look = (): void => {
      gpuBytes = Math.max(gpuBytes, live.bufferBytes - gpuBefore);
      processBytes = Math.max(processBytes, process.memoryUsage.rss() - before);
    };
    const sink = new WritableStream<Uint8Array>({
      write(piece) {
        writtenBytes += piece.byteLength;
        look();
      },
    });
    const saving = saveCheckpoint(optimizer, sink);
    // What is withheld takes nothing, but is counted while it lives.
    if (hasMemory) look();
    const { isCopied } = await saving;
    shortage.destroy();
    peaks.push({ isCopied, stateBytes: optimizer.stateByteLength, writtenBytes, gpuBytes, processBytes });
  }
  optimizer.destroy();
  device.destroy();
  return peaks;
}

/** A run that has made a step, so that its memory is really there. */
async function makeRun(device: GPUDevice, elementCount: number): Promise<Optimizer> {
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const make = (count: number) => device.createBuffer({ label: 'save peak', size: 4 * count, usage });
  const grad = make(Math.min(elementCount, MOST_ELEMENTS));
  const params = Array.from({ length: Math.ceil(elementCount / MOST_ELEMENTS) }, (_, k) => {
    const count = Math.min(MOST_ELEMENTS, elementCount - k * MOST_ELEMENTS);
    return { data: make(count), grad: { buffer: grad, size: 4 * count } };
  });
  const optimizer = await Optimizer.create(device, { rule: adam(), params });
  optimizer.step();
  return optimizer;
}
