/**
 * `npm run save-peak`: the memory that saving a checkpoint takes at its peak, in Node on Dawn and SwiftShader, with a copy of the state on
 * the GPU and without one.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { SavePeak, SavePeakOptions } from '../test/soak/save-peak.js';
import { importForGpu } from './import-for-gpu.js';
import { createCommand, integerFrom, runCommand } from './terminal/command-line.js';

const MIB = 2 ** 20;

await runCommand('save-peak', async () => {
  const { mib } = createCommand('npm run save-peak --')
    .description('Measures the memory that saving a checkpoint takes.')
    .option('--mib <integer>', 'MiB of state; a process needs about four times as many', integerFrom(1), 1024)
    .parse()
    .opts<{ mib: number }>();

  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const { module, gpu } = await importForGpu('test/soak/save-peak.ts');
  const { measureSaves } = module as { measureSaves: (options: SavePeakOptions) => Promise<SavePeak[]> };
  for (const peak of await measureSaves({ stateBytes: mib * MIB, gpu, collect })) {
    const { isCopied, stateBytes, writtenBytes, gpuBytes, processBytes } = peak;
    const told = Object.entries({ stateBytes, writtenBytes, gpuBytes, processBytes }).map(
      ([name, bytes]) => `${name} ${(bytes / MIB).toFixed(1)} MiB`,
    );
    console.log(`${isCopied ? 'with a copy' : 'without a copy'}: ${told.join(', ')}`);
  }
});
