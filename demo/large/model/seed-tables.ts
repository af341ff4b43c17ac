import philoxWgsl from '../../../shaders/philox.wgsl?raw';
import wordsWgsl from '../../../shaders/words.wgsl?raw';
import seedTableWgsl from '../shaders/seed-table.wgsl?raw';
import { command, compilerFor, dispatch } from '../../shared/kernels.js';
import { type ModelDtypes, entryWgsl } from './dtypes.js';

/** A table to be filled. */
export interface SeededTable {
  readonly table: GPUBufferBinding;
  /** Entries of the tables before it. */
  readonly before: number;
}

const compile = compilerFor('large');

const WORKGROUPS = 1024;

/** Fills tables with their first values; see shaders/seed-table.wgsl. */
export async function seedTables(
  device: GPUDevice,
  tables: readonly SeededTable[],
  seed: number,
  dtype: ModelDtypes['weights'],
): Promise<void> {
  const kernel = await compile(device, 'seed_table', [
    wordsWgsl,
    philoxWgsl,
    entryWgsl(dtype),
    seedTableWgsl,
  ]);
  const encoder = device.createCommandEncoder({ label: 'large seed' });
  const pass = encoder.beginComputePass({ label: 'large seed' });
  const uniforms = tables.map(({ table, before }) => {
    const uniform = device.createBuffer({
      label: 'large seeding',
      size: 16,
      usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
    });
    device.queue.writeBuffer(uniform, 0, Uint32Array.of(...seedWords(seed), before));
    dispatch(pass, [command(device, kernel, { 0: { buffer: uniform }, 1: table }, [WORKGROUPS, 1])]);
    return uniform;
  });
  pass.end();
  device.queue.submit([encoder.finish()]);
  for (const uniform of uniforms) uniform.destroy();
}

/** A seed below 2⁵³ as the two words of Philox's key. */
export function seedWords(seed: number): [number, number] {
  return [seed >>> 0, Math.floor(seed / 2 ** 32)];
}
