import { READ_REMEDIES, captureErrors, refusalError } from '../../../gpu/refusal.js';
import type { Reader } from '../../../gpu/copies/readback.js';
import { makePacking } from '../../../stages/side/rows.js';
import { madeReading } from './made-reading.js';
import type { RunTensor } from '../../run/group-part.js';
import type { Run } from '../../run/run.js';

/**
 * Reads weights whose rows lie apart: the GPU copies them behind one another, and no byte between them is read. All of it is
 * submitted before this returns its promise.
 *
 * @param what is read, for errors.
 * @throws OptimizerError as `Reader.read`.
 */
export async function readApart(
  run: Run,
  reader: Reader,
  { index, parameter }: RunTensor,
  what: string,
): Promise<ArrayBuffer> {
  const { device, facts, nameOf, label } = run.resources;
  const { data, rowLength } = parameter;
  const { value, refusal } = captureErrors(device, () => {
    const input = { device, facts, nameOf, label: `${label} read of ${what}` };
    const packed = makePacking(input, { index, row: 0, data, rowLength: rowLength! });
    const encoder = device.createCommandEncoder({ label: input.label });
    const pass = encoder.beginComputePass({ label: input.label });
    packed.encode(pass);
    pass.end();
    device.queue.submit([encoder.finish()]);
    return { packed, bytes: reader.read([packed.ranges], what) };
  });
  try {
    const [bytes] = await madeReading(value.bytes, refusal, (met) =>
      refusalError(device, met, what, READ_REMEDIES),
    );
    return bytes!;
  } finally {
    value.packed.destroy();
  }
}
