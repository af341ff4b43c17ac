/** The program of the folder that `npm run gpu-bundle` makes: see "On a real GPU" in bench/README.md. */
import { measureAll } from '../measure.js';
import { describeAdapter, requestBenchDevice } from '../../lab/measuring/page/device.js';
import { nodeGpu } from '../page/node.js';
import { openNodeSession } from '../session/node-session.js';
import { probeNumerics } from '../../proof/numerics.js';
import { readGpuOptions } from './options.js';
import { measureParity } from '../../proof/measure-parity.js';
import { saveSession } from './save.js';
import { type GpuSession, formatSession } from './session-report.js';
import { runCommand } from '../../scripts/terminal/command-line.js';
import { sweepShapes } from './sweep.js';
import { timeTorch } from './torch.js';

await runCommand('gpu', async () => {
  const { out, quick, skip, parityRules, python, bench: benchOptions } = readGpuOptions(process.argv);
  const { seed } = benchOptions;
  const { device } = await requestBenchDevice(nodeGpu());
  const adapter = describeAdapter(device);
  console.error(`On ${adapter}`);

  let session: GpuSession = {
    adapter,
    date: new Date().toISOString(),
    numerics: await probeNumerics(device, seed),
    parity: null,
    bench: null,
    shapes: null,
    torch: null,
  };
  let saved: string[] = [];
  /** Saved after each part: a lent machine may end a run that takes too long. */
  const add = (part: Partial<GpuSession>): void => {
    session = { ...session, ...part };
    saved = saveSession(session, out, device.adapterInfo);
  };
  add({});
  if (!skip.includes('parity')) {
    const onProgress = (rule: string) => console.error(`parity: ${rule}`);
    add({ parity: await measureParity(device, { seed, rules: parityRules, quick, onProgress }) });
  }
  if (!skip.includes('bench')) {
    add({ bench: await measureAll(await openNodeSession('default'), benchOptions) });
  }
  if (!skip.includes('torch')) add({ torch: await timeTorch(python, benchOptions) });
  // Last, for it holds the state of nine optimizers at once: a card that has no room for it keeps the rest.
  if (!skip.includes('shapes')) {
    const onProgress = (text: string) => console.error(`shapes: ${text}`);
    add({ shapes: await sweepShapes(device, benchOptions, onProgress) });
  }
  for (const file of saved) console.error(`Saved ${file}`);
  console.log(formatSession(session));
  // Wrong results are no success, however fast.
  return session.parity?.some(({ failed }) => failed > 0) ? 1 : 0;
});
