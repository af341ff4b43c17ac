/** `npm run stage`: puts what is published into package/, from where `npm publish ./package` takes it. */
import { resolve } from 'node:path';
import { stagePackage } from './package/stage.js';
import { createCommand, runCommand } from './terminal/command-line.js';

await runCommand('stage', async () => {
  const { out } = createCommand('npm run stage --')
    .description('Stages the built package for publishing.')
    .option('--out <folder>', 'where to', 'package')
    .parse()
    .opts<{ out: string }>();
  stagePackage(resolve('.'), resolve(out));
  console.log(out);
});
