import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Buffers of a device that were created and not destroyed since. */
export interface LiveBuffers {
  /**
   * Labels of those that are left.
   *
   * @param mayCollect whether garbage counts as destroyed: what encoders referred to is the garbage collector's to free.
   */
  left(mayCollect: boolean): Promise<string[]>;
  stop(): void;
}

/** Of one, all may not be gone that only others of them referred to. */
const COLLECTIONS = 3;

/** As `test/support/live-buffers.ts`, but that it keeps nothing alive. */
export function watchBuffers(device: GPUDevice): LiveBuffers {
  const live = new Map<number, { readonly label: string; readonly ref: WeakRef<GPUBuffer> }>();
  const create = device.createBuffer.bind(device);
  let next = 0;
  device.createBuffer = (descriptor) => {
    const buffer = create(descriptor);
    const id = next++;
    live.set(id, { label: `${buffer.label} (${buffer.size} bytes)`, ref: new WeakRef(buffer) });
    const destroyBuffer = buffer.destroy.bind(buffer);
    buffer.destroy = () => {
      live.delete(id);
      return destroyBuffer();
    };
    return buffer;
  };
  return {
    async left(mayCollect) {
      const rounds = mayCollect ? COLLECTIONS : 0;
      for (let round = 0; live.size > 0 && round < rounds; round++) {
        // A WeakRef holds what was read of it until the turn is over.
        await new Promise((resolve) => setTimeout(resolve, 10));
        collectGarbage();
        for (const [id, { ref }] of live) if (!ref.deref()) live.delete(id);
      }
      return [...live.values()].map(({ label }) => label);
    },
    stop: () => Reflect.deleteProperty(device, 'createBuffer'),
  };
}

let collect: (() => void) | undefined;

export function collectGarbage(): void {
  if (!collect) {
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as () => void;
  }
  collect();
}
