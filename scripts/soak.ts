/**
 * `npm run soak`: one run of 100,000 steps, in Node on Dawn and SwiftShader, with everything changing on the way. What is alive is counted
 * now and then; `--update` draws it as docs/soak.svg, and docs/soak.md has it at the start and at the end.
 *
 * Its exit status is 1 if what is alive grows.
 */
import { writeFileSync } from 'node:fs';
import { randomInt } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Sample, SoakOptions } from '../test/soak/soak-run.js';
import { drawSoak, findGrowth, writeSoak } from '../test/soak/soak-report.js';
import { importForGpu } from './import-for-gpu.js';
import { createCommand, integerFrom, runCommand } from './terminal/command-line.js';

await runCommand('soak', async () => {
  const { steps, seed, update } = createCommand('npm run soak --')
    .description('Steps one run for long, and fails if what is alive grows.')
    .option('--steps <integer>', 'how many', integerFrom(1), 100_000)
    .option('--seed <integer>', 'repeats a run', integerFrom(0), randomInt(2 ** 31))
    .option('--update', 'writes docs/soak.md and docs/soak.svg')
    .parse()
    .opts<{ steps: number; seed: number; update?: true }>();

  console.log(`--seed ${seed}`);
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const { module, gpu } = await importForGpu('test/soak/soak-run.ts');
  const { soak } = module as { soak: (options: SoakOptions) => Promise<Sample[]> };
  const samples = await soak({
    steps,
    seed,
    gpu,
    collect,
    onSample: (sample) => console.log(JSON.stringify(sample)),
  });
  const docs = (name: string) => fileURLToPath(new URL(`../docs/${name}`, import.meta.url));
  const report = writeSoak(samples, seed);
  if (update) {
    writeFileSync(docs('soak.svg'), drawSoak(samples, seed));
    writeFileSync(docs('soak.md'), report);
  }
  console.log(report);
  const growth = findGrowth(samples);
  for (const complaint of growth) console.log(`GROWS: ${complaint}`);
  return growth.length > 0 ? 1 : 0;
});
