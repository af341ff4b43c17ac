import { layoutOf } from '../../../src/kernel/rule-layout.js';
import { totalElements } from '../cases.js';
import { createArray } from '../page/workload.js';
import type { Peer } from './peer.js';

/** `copyBufferToBuffer` of as many bytes as the fused step moves: half of them read, half written. */
export const copy: Peer = async ({ device, rule, benchCase, workload }) => {
  const elementCount = totalElements(benchCase);
  const slotCount = layoutOf(rule).elementSlots.length;
  const values = workload.randomArray(Math.min(elementCount, 1 << 20));
  const arrays = Array.from({ length: 2 + slotCount }, (_, k) =>
    createArray(device, `copy ${k}`, elementCount, values),
  );
  // 3 + 2·slots arrays are read or written by a step; copying one reads one and writes one.
  const arraysToCopy = (3 + 2 * slotCount) / 2;
  const byteLengths = Array.from(
    { length: Math.ceil(arraysToCopy) },
    (_, k) => Math.ceil(elementCount * Math.min(1, arraysToCopy - k)) * 4,
  );
  return {
    step: () => {
      const encoder = device.createCommandEncoder({ label: 'bench copy' });
      byteLengths.forEach((byteLength, k) => {
        const [source, target] = [arrays[k % arrays.length]!, arrays[(k + 1) % arrays.length]!];
        encoder.copyBufferToBuffer(source, 0, target, 0, byteLength);
      });
      device.queue.submit([encoder.finish()]);
    },
    finish: () => device.queue.onSubmittedWorkDone(),
    destroy: () => {
      for (const buffer of arrays) buffer.destroy();
    },
  };
};
