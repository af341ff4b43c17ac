/** The TypeScript of docs/guides/typescript.md: `npm run docs` copies it, `npm run typecheck` is the test. */
import { type AdamOptions, Optimizer, type Parameter, adam } from '../../src/index.js';

export async function train(device: GPUDevice, params: Parameter[], options: AdamOptions): Promise<number> {
  const optimizer = await Optimizer.create(device, { rule: adam(options), params, maxGradNorm: 1 });
  optimizer.groups[0]?.set({ weightDecay: 0.1, betas: [0.9, (step) => 1 - 1 / (step + 10)] });
  // @ts-expect-error: no such option
  optimizer.groups[0]?.set({ wieghtDecay: 0.1 });
  optimizer.step();
  // @ts-expect-error: Adam has no such state
  await optimizer.readState('w', 'momentum_buffer');
  return (await optimizer.stats()).gradNorm;
}
