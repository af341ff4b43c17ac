/** A run that changes: parameters that come and go, rest, grow, and lie elsewhere. */
import type { Optimizer, Parameter } from '../../src/index.js';
import type { Random } from '../../proof/random.js';
import type { Track } from '../../proof/track.js';
import { makeBuffer } from './tensors.js';

const FRESH = 0xffff_ffff;
/** Rows that buffers have room for. */
const ROOM = 24;
/** A parameter, there or not, and the two homes that it has in turn. */
export interface ChangingTensor {
  readonly name: string;
  readonly rowLength: number;
  readonly homes: readonly { readonly data: GPUBuffer; readonly grad: GPUBuffer }[];
  home: number;
  rowCount: number;
  isThere: boolean;
  isFrozen: boolean;
}

/** So many parameters with rows, all of them there. */
export function makeTensors(
  device: GPUDevice,
  track: Track,
  random: Random,
  count: number,
): ChangingTensor[] {
  return Array.from({ length: count }, (_, k) => {
    const rowLength = 1 + (k % 4);
    const floats = () => makeBuffer(device, track, random.weights(ROOM * rowLength));
    const homes = [0, 1].map(() => ({ data: floats(), grad: floats() }));
    return { name: `w${k}`, rowLength, homes, home: 0, rowCount: 8, isThere: true, isFrozen: false };
  });
}

/** A parameter as it lies now. */
export const parameterOf = ({ name, rowLength, rowCount, homes, home }: ChangingTensor): Parameter => ({
  name,
  rowLength,
  length: rowCount * rowLength,
  ...homes[home]!,
});

/** Makes one change of a run of adam that is drawn; whoever it gives a promise to does not wait for it. */
export function change(
  optimizer: Optimizer,
  tensors: readonly ChangingTensor[],
  random: Random,
): Promise<unknown> | void {
  const there = tensors.filter(({ isThere }) => isThere);
  const [one, other] = [random.pick(there), random.pick(there)];
  const gone = tensors.filter(({ isThere }) => !isThere);
  const group = random.pick(optimizer.groups);
  switch (random.integer(10)) {
    case 0:
      optimizer.freeze([one.name]);
      one.isFrozen = true;
      return undefined;
    case 1:
      optimizer.unfreeze([one.name, other.name]);
      one.isFrozen = other.isFrozen = false;
      return undefined;
    case 2:
      if (there.length < 4) return undefined;
      optimizer.remove([one.name]);
      one.isThere = false;
      return undefined;
    case 3: {
      const [back] = gone;
      if (!back) return undefined;
      back.isThere = true;
      back.isFrozen = false;
      const options = random.integer(2) === 0 ? { lr: 0.5 } : {};
      optimizer.addGroupSync({ ...options, params: [parameterOf(back)] });
      return undefined;
    }
    case 4:
      optimizer.addGroupSync({ params: [...new Set([one.name, other.name])] });
      return undefined;
    case 5: {
      const rowCount = 1 + random.integer(ROOM);
      const from = Uint32Array.from({ length: rowCount }, (_, row) =>
        row < one.rowCount ? (random.integer(2) === 0 ? row : random.integer(one.rowCount)) : FRESH,
      );
      const isMoved = random.integer(2) === 0;
      if (isMoved) one.home = 1 - one.home;
      const { data, grad } = one.homes[one.home]!;
      one.rowCount = rowCount;
      const where = isMoved ? { data: { [one.name]: data }, grad: { [one.name]: grad } } : {};
      return optimizer.mapRows([one.name], { from, rowCount, ...where });
    }
    case 6:
      group.set({ weightDecay: random.pick([0, 0.1]), lr: random.pick([0.1, (step) => 1 / (step + 1)]) });
      return undefined;
    case 7: {
      const values = random.weights(one.rowCount * one.rowLength).map(Math.abs);
      if (random.integer(2) === 0) optimizer.writeState(one.name, 'exp_avg_sq', values);
      else optimizer.writeState(one.name, 'step', [random.integer(9)]);
      return undefined;
    }
    case 8: {
      const like = (tensor: ChangingTensor) => tensor.rowCount * tensor.rowLength;
      if (one !== other && like(one) === like(other)) optimizer.copyState(one.name, other.name);
      else optimizer.resetState({ names: [one.name] });
      return undefined;
    }
    default:
      one.home = 1 - one.home;
      optimizer.rebind({ [one.name]: one.homes[one.home]! });
      return undefined;
  }
}
