import { type Array as JaxArray, getWebGPUDevice, numpy } from '@jax-js/jax';
import { OptimizerError } from '../../errors.js';

const SUPPORTED_VERSION = '0.1.25';

/** What jax-js keeps about a buffer. */
interface SlotRecord {
  readonly buffer: GPUBuffer;
  /** How many arrays, views and operations that are not dispatched yet refer to it. */
  readonly ref: number;
}

/**
 * The GPU buffers of jax-js's arrays, and who else refers to them. The first is public API of jax-js; the second is
 * not: it is the reference count in the backend's table of slots.
 */
export class ArrayBuffers {
  private constructor(
    /** The device that jax-js requested for itself. */
    readonly device: GPUDevice,
    private readonly records: ReadonlyMap<number, SlotRecord>,
  ) {}

  /**
   * Finds the table of slots, and sees on an array of its own whether it counts as known.
   *
   * @throws OptimizerError `invalid-config` if jax-js's WebGPU backend is not initialized, or is not as known.
   */
  static open(): ArrayBuffers {
    let device: GPUDevice;
    try {
      device = getWebGPUDevice();
    } catch (cause) {
      const message =
        "jax-js has no GPUDevice yet; await init('webgpu') and call defaultDevice('webgpu') first; where the browser has no " +
        'WebGPU, take an optimizer of @jax-js/optax.';
      throw new OptimizerError('invalid-config', message, { cause });
    }
    try {
      return new ArrayBuffers(device, findRecords(device));
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new OptimizerError(
        'invalid-config',
        `this @jax-js/jax (it does not tell its version) counts references otherwise than ${SUPPORTED_VERSION}: ` +
          `${reason}; install @jax-js/jax@${SUPPORTED_VERSION}.`,
        { cause },
      );
    }
  }

  /**
   * The array's buffer, whose first bytes are its elements in order, once all that computes it is dispatched. It may be
   * longer: jax-js pads, and a slice may lie in the buffer of a longer array.
   */
  bufferOf(array: JaxArray): GPUBuffer {
    return array.ref.gpuBufferSync();
  }

  /** Whether nobody but the holder of this one reference can ever see the array's buffer; call `bufferOf` before. */
  isUnshared(array: JaxArray): boolean {
    return array.refCount === 1 && this.records.get(array._realizeSource())?.ref === 1;
  }
}

/** jax-js gives its backend to nobody but its own arrays, so one of these is asked what it was given. */
function findRecords(device: GPUDevice): ReadonlyMap<number, SlotRecord> {
  const probe = numpy.zeros([1], { device: 'webgpu' });
  ensure(probe.refCount === 1, `a new array counts ${probe.refCount} references`);
  const slot = probe._realizeSource();
  let backend: unknown;
  probe._putSync = (given) => {
    backend = given;
    return probe;
  };
  const reader = probe.ref.add(1);
  const known = backend as { device: unknown; buffers: ReadonlyMap<number, SlotRecord> } | undefined;
  ensure(known?.device === device, 'arrays do not show their backend');
  const records = known!.buffers;
  ensure(records instanceof Map, 'the backend has no table of buffers');
  const record = records.get(slot);
  ensure(record?.buffer === probe.ref.gpuBufferSync(), 'an array has another buffer than its slot');
  ensure(record!.ref === 2, `a slot with an array and an operation to come counts ${record!.ref} references`);
  reader.dispose();
  ensure(record!.ref === 1, `a slot with an array counts ${record!.ref} references`);
  probe.dispose();
  ensure(!records.has(slot), 'a slot outlives its array');
  return records;
}

function ensure(condition: boolean, otherwise: string): void {
  if (!condition) throw new Error(otherwise);
}
