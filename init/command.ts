#!/usr/bin/env node
/** `webgpu-optim`: `init` writes a small project that trains in a page. */
import { readFileSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Option } from 'commander';
import { UsageError, createCommand, runCommand } from '../scripts/terminal/command-line.js';
import { TEMPLATES, type TemplateName, writeProject } from './write-project.js';

/** The package's folder: this file is dist/init/command.js there. */
const PACKAGE = fileURLToPath(new URL('../../', import.meta.url));
const { version } = JSON.parse(readFileSync(resolve(PACKAGE, 'package.json'), 'utf8')) as { version: string };

await runCommand('webgpu-optim', async () => {
  const command = createCommand('webgpu-optim').description('The optimizer step on WebGPU.').version(version);
  command
    .command('init')
    .description('Writes a small project that trains in a page.')
    .argument('[folder]', 'where to, a folder that is new or empty', '.')
    .addOption(
      new Option('--template <name>', 'who computes the gradients')
        .choices(Object.keys(TEMPLATES))
        .default('wgsl' satisfies TemplateName),
    )
    .addHelpText(
      'after',
      `\nTemplates:\n${Object.entries(TEMPLATES)
        .map(([name, what]) => `  ${name}: ${what}`)
        .join('\n')}`,
    )
    .action((folder: string, { template }: { template: TemplateName }) => init(folder, template));
  await command.parseAsync();
});

function init(folder: string, template: TemplateName): void {
  const target = resolve(folder);
  let files: readonly string[];
  try {
    files = writeProject({ from: resolve(PACKAGE, 'examples', template), target, version });
  } catch (error) {
    throw new UsageError((error as Error).message, { cause: error });
  }
  const place = relative('.', target);
  console.log(`${place === '' ? 'Here' : place}: ${files.join(', ')}\n\nNow:`);
  for (const line of [
    ...(place === '' ? [] : [`cd ${/\s/u.test(place) ? `"${place}"` : place}`]),
    'npm install',
    'npm run dev',
  ])
    console.log(`  ${line}`);
  console.log('\nThen open the address that it prints in a browser with WebGPU.');
}
