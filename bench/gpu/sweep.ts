/** The step's kernel in the shapes that may suit a GPU: what src/kernel/shape.ts chooses among. */
import { resolveCase } from '../../lab/measuring/cases.js';
import { interleave } from '../../lab/measuring/interleave.js';
import { MAX_STEPS_PER_SUBMIT, measureOnGpu } from '../../lab/measuring/page/gpu-clock.js';
import { createWorkload } from '../../lab/measuring/page/workload.js';
import { oursInShape } from '../../lab/measuring/peers/ours.js';
import type { Contestant } from '../../lab/measuring/peers/peer.js';
import { describeShape } from '../../lab/measuring/rows.js';
import { median, round } from '../../lab/measuring/statistics.js';
import { createRandom } from '../../lab/random.js';
import { type Rule, rules } from '../../src/index.js';
import type { KernelShape } from '../../src/kernel/shape.js';
import type { BenchOptions } from '../options.js';

/** Invocations of a GPU have neighbouring lanes, so that its accesses are coalesced. */
const SHAPES: readonly KernelShape[] = [64, 128, 256].flatMap((workgroupSize) =>
  [1, 2, 4].map((lanesPerInvocation) => ({ workgroupSize, lanesPerInvocation, consecutive: false })),
);
/** Adam stands for all rules: they move a few arrays more or fewer. */
const RULE = 'adam';

/** A case in a shape. */
export interface SweepRow {
  readonly case: string;
  /** workgroupSize×lanesPerInvocation. */
  readonly shape: string;
  /** Milliseconds of a step, by the GPU's clock where there is one, else by the wall's. */
  readonly medianMs: number;
  readonly minMs: number;
}

/** Measures each case of a benchmark in all shapes, in turns. */
export async function sweepShapes(
  device: GPUDevice,
  { heats, rounds, seed, minMeasurementMs }: BenchOptions,
  onProgress: (text: string) => void,
): Promise<SweepRow[]> {
  const rows: SweepRow[] = [];
  const requests = new Map(heats.map(({ request }) => [JSON.stringify(request), request]));
  for (const request of requests.values()) {
    const benchCase = resolveCase(request, device.limits.maxStorageBufferBindingSize);
    onProgress(benchCase.text);
    const rule = rules[RULE]() as Rule;
    const workload = createWorkload(device, benchCase, seed);
    const contestants: [KernelShape, Contestant][] = [];
    for (const shape of SHAPES) {
      const made = await oursInShape(shape)({ device, benchCase, rule, workload });
      contestants.push([shape, made!]);
    }
    const times = await interleave(
      contestants,
      ([, contestant], steps) => timeOf(device, contestant, steps),
      {
        rounds,
        minMeasurementMs,
        uniform: createRandom(seed),
      },
    );
    for (const [[shape], ms] of times) {
      rows.push({
        case: benchCase.text,
        shape: describeShape(shape),
        medianMs: round(median(ms)),
        minMs: round(Math.min(...ms)),
      });
    }
    for (const [, contestant] of contestants) contestant.destroy();
    workload.destroy();
  }
  return rows;
}

async function timeOf(device: GPUDevice, contestant: Contestant, steps: number): Promise<number> {
  const count = Math.min(steps, MAX_STEPS_PER_SUBMIT);
  await contestant.finish();
  const start = performance.now();
  const gpuMs = await measureOnGpu(device, () => contestant.step(), count);
  await contestant.finish();
  // Without timestamps the steps were made all the same.
  return ((gpuMs ?? performance.now() - start) * steps) / count;
}
