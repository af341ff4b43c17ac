/**
 * `npx tsx bench/onnxruntime.ts`: a training step through the ONNX Runtime adapter, interleaved with its parts: the run of the
 * graph, and the optimizer's step.
 */
import { Command, Option } from 'commander';
import type { AdapterChoice } from '../scripts/browsers.js';
import { interleave } from './interleave.js';
import { type OnnxPage, PARTS, type Part } from './onnxruntime-protocol.js';
import { openBrowserSession } from './session/browser-session.js';
import { createRandom } from '../lab/random.js';
import { median, pairedRatio } from './statistics.js';

const SEED = 1;

const options = new Command('npx tsx bench/onnxruntime.ts')
  .option('--mlp <widths>', 'widths of the layers', '784,128,10')
  .option('--batch <rows>', 'rows of a batch', '64')
  .option('--rounds <n>', 'rounds that count', '15')
  .addOption(new Option('--adapter <kind>').choices(['software', 'default']).default('software'))
  .parse(process.argv)
  .opts<Record<'mlp' | 'batch' | 'rounds', string> & { adapter: AdapterChoice }>();

const session = await openBrowserSession<OnnxPage>('onnxruntime.html', options.adapter);
try {
  const widths = options.mlp.split(',').map(Number);
  const { adapter, browser, ort } = await session.call('open', widths, Number(options.batch));
  const measure = (part: Part, count: number): Promise<number> => session.call('measure', part, count);
  const times = await interleave(PARTS, measure, {
    rounds: Number(options.rounds),
    minMeasurementMs: 200,
    uniform: createRandom(SEED),
  });
  console.log(`${adapter}, ${browser}, ONNX Runtime ${ort}: ${options.mlp}, batch ${options.batch}, adam`);
  for (const [part, own] of times) {
    const cells = [Math.min(...own), median(own), pairedRatio(own, times.get('step')!)].map((x) =>
      x.toPrecision(3),
    );
    console.log(`| ${part} | min ${cells[0]} ms | median ${cells[1]} ms | × step ${cells[2]} |`);
  }
} finally {
  await session.close();
}
