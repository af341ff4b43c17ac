/** docs/runtimes.md, from the reports that `npm run runtimes -- --update` keeps. */
import { readFileSync } from 'node:fs';
import { markdownTable } from '../bench/table.js';
import { CHROME_FLAGS, FIREFOX_PREFERENCES } from '../scripts/browser-settings.js';
import { FLAGS } from './find-program.js';
import { FEATURES, LIMITS, type RuleRecord, type RuntimeRecord } from './program/record.js';
import type { RuntimeReport } from './report.js';

export const PAGE_FILE = new URL('../docs/runtimes.md', import.meta.url);
export const RECORDS_FILE = new URL('records.json', import.meta.url);

/** The page with its tables. */
export function runtimesPage(reports: readonly RuntimeReport[]): string {
  return `# Runtimes

The package runs wherever WebGPU does: in browsers, and in Deno, Node and Bun. \`npm run runtimes\` runs the same program in each
of them, with the built package: the [README's example](../README.md#example), 30 steps of some rules against the reference, and a
run that is stopped after 10 of 20 steps, saved, and resumed on another device, from bytes and from a file. \`npm test\` runs it in Deno
and Node. Safari has WebGPU since version 26; this library has not been tried there yet.

This page is made by \`npm run runtimes -- --update\`, on software adapters, which are the same on every machine.

${markdownTable(
  [
    'runtime',
    'WebGPU',
    'adapter',
    'example',
    'resumed with the same bits',
    'rules with the bits of the twin',
  ],
  reports.map(({ title, webgpu, record }) => [
    title,
    webgpu,
    record.adapter,
    String(record.example),
    `from ${record.resumed.join(', from ')}`,
    `${record.rules.filter(({ sameBits }) => sameBits).length} of ${record.rules.length}`,
  ]),
  6,
)}

## Deviations

The largest distance of a weight from the reference in float64 after 30 steps, in ULP of the weight, and in brackets as a share of
what WGSL allows: the bound that \`proof/\` derives, step by step, from the accuracy that WGSL demands of each operation. More than 100 %
fails. ULP are many where a weight comes close to 0, for one ULP is little there. Results with \`≠\` are within the bound, but have other bits
than the float32 twin on the CPU, \`ReferenceOptimizer\` with \`precision: 'f32'\`; on SwiftShader there must be none.

${markdownTable(
  ['rule', ...reports.map(({ title }) => title)],
  ruleTitles(reports).map((title) => [
    title,
    ...reports.map(({ record }) => deviation(record.rules.find((rule) => rule.title === title))),
  ]),
  1,
)}

## Arithmetic

What float32 arithmetic does where WGSL leaves it open, found by kernels of one expression each. Beside that, WGSL lets compilers regroup
sums: on llvmpipe, Nesterov's w + (λv − ηg) becomes (w + λv) − ηg. So bits differ between adapters.

${markdownTable(
  ['expression', ...reports.map(({ title }) => title)],
  questions(reports).map((question) => [
    question,
    ...reports.map(({ record }) => record.arithmetic.find((row) => row.question === question)?.answer ?? ''),
  ]),
  reports.length + 1,
)}

## Limits

What the adapters offer. A device has WebGPU's defaults, 8 storage buffers, bindings of 128 MiB and buffers of 256 MiB, unless
\`requestDevice({ requiredLimits })\` asks for more; errors say which limit to ask for.

${markdownTable(
  ['', ...reports.map(({ title }) => title)],
  [
    ...LIMITS.map((name) => [`\`${name}\``, ...reports.map(({ record }) => limit(record, name))]),
    ...FEATURES.map((name) => [
      `\`${name}\``,
      ...reports.map(({ record }) => (record.features.includes(name) ? 'yes' : 'no')),
    ]),
  ],
  1,
)}

## What must be set

${settings()}
`;
}

function questions(reports: readonly RuntimeReport[]): string[] {
  return [...new Set(reports.flatMap(({ record }) => record.arithmetic.map(({ question }) => question)))];
}

function ruleTitles(reports: readonly RuntimeReport[]): string[] {
  return [...new Set(reports.flatMap(({ record }) => record.rules.map(({ title }) => title)))];
}

function deviation(rule: RuleRecord | undefined): string {
  if (!rule) return '';
  const { maxUlp, maxOfBound, sameBits } = rule;
  return `${maxUlp.toPrecision(3)} (${(100 * maxOfBound).toFixed(0)} %)${sameBits ? '' : ' ≠'}`;
}

function limit(record: RuntimeRecord, name: (typeof LIMITS)[number]): string {
  const value = record.limits[name];
  return name.endsWith('Size') ? `${Math.round(value / 2 ** 20)} MiB` : String(value);
}

function settings(): string {
  const useDawn = readFileSync(new URL('entries/use-dawn.js', import.meta.url), 'utf8').trim();
  const preferences = Object.entries(FIREFOX_PREFERENCES).map(
    ([name, value]) => `\`${name}\` = \`${value}\``,
  );
  return `\`example.js\` stands for a module of yours, such as the README's example.

### Chrome and Firefox

A page has WebGPU if it comes from \`https:\`, from \`localhost\` or from \`127.0.0.1\`. Chrome has it on Windows, macOS and Android; on Linux
it may need \`${CHROME_FLAGS.always} ${CHROME_FLAGS.linux}\`. In Firefox, where WebGPU is not on yet, set in
\`about:config\`: ${preferences.join(', ')}. Without a GPU: \`chrome ${CHROME_FLAGS.always} ${CHROME_FLAGS.software}\`;
Firefox as Deno below.

### Deno

Nothing since 2.9; older versions need \`--unstable-webgpu\`. The permissions are for checkpoints in files:

\`\`\`sh
deno ${FLAGS.deno.join(' ')} example.js
\`\`\`

Deno 2.9.6 crashes if the adapter was garbage-collected and its device is then asked for \`adapterInfo\`. The first optimizer asks: keep a
reference to the adapter until it is there.

On Linux a Vulkan driver must be there. Without a GPU that is Mesa's, which runs on the CPU, \`apt-get install mesa-vulkan-drivers\` on Debian. To
choose it where there are others:

\`\`\`sh
export VK_DRIVER_FILES=/usr/share/vulkan/icd.d/lvp_icd.x86_64.json
\`\`\`

### Node and Bun

They have no WebGPU of their own: the package [\`webgpu\`](https://www.npmjs.com/package/webgpu) brings Dawn. \`npm install webgpu\`, and
a file \`use-dawn.js\`, which gives them what a page has:

\`\`\`js [use-dawn.js]
${useDawn}
\`\`\`

\`\`\`sh
node ${FLAGS.node.join(' ')} example.js
bun ${FLAGS.bun.join(' ')} example.js
\`\`\`

Without a GPU, Dawn runs on SwiftShader, whose driver lies beside every Chrome and Chromium on Linux:

\`\`\`sh
export VK_DRIVER_FILES=/usr/lib/chromium/vk_swiftshader_icd.json
\`\`\``;
}
