/** The Prove page. `?rule=adam&extent=full&seed=1` chooses as the form does, and `&start` starts. */
import { type NumericsRow, probeNumerics } from '../../proof/numerics.js';
import { type ParityRow, measureParity } from '../../proof/measure-parity.js';
import { describeBrowser } from '../../lab/measuring/page/device.js';
import { rules } from '../../src/index.js';
import { chooseByAddress, keepInAddress, setControl } from '../site/address.js';
import { download } from '../site/download.js';
import { element, setText } from '../site/elements.js';
import { hideProblem, showProblem } from '../site/problem.js';
import { fillTable } from '../site/table.js';
import { whenVisible } from '../site/visibility.js';
import { type DemoDevice, describeAdapter, openDevice, requestAdapter } from '../site/webgpu.js';
import { PARITY_HEADINGS, type ProofReport, parityCells, toCsv, totalsOf } from './report.js';
import './style.css';

const ALL = 'all';
const form = element('controls', HTMLFormElement);
const ruleSelect = element('rule', HTMLSelectElement);
const extentSelect = element('extent', HTMLSelectElement);
const seedInput = element('seed', HTMLInputElement);
const startButton = element('start', HTMLButtonElement);
const stopButton = element('stop', HTMLButtonElement);
const progress = element('progress', HTMLProgressElement);
let isStopped = false;
let report: ProofReport | undefined;

ruleSelect.append(new Option('all', ALL), ...Object.keys(rules).map((name) => new Option(name)));
const address = chooseByAddress((wanted) => {
  setControl(ruleSelect, wanted, ALL);
  setControl(extentSelect, wanted, 'quick');
  // Inputs are fresh at each visit, and the seed is shown so that a run can be repeated.
  setControl(seedInput, wanted, String(crypto.getRandomValues(new Uint32Array(1))[0]));
});
keepInAddress(form, () => ({
  rule: ruleSelect.value,
  extent: extentSelect.value,
  seed: seedInput.value,
}));
form.addEventListener('submit', (event) => {
  event.preventDefault();
  void prove();
});
stopButton.addEventListener('click', () => {
  isStopped = true;
  setText('status', 'Stopping after this rule …');
});
const onDownload = (id: string, name: string, type: string, make: (made: ProofReport) => string): void =>
  element(id, HTMLButtonElement).addEventListener(
    'click',
    () => report && download(name, type, make(report)),
  );
onDownload('download-json', 'webgpu-optim-proof.json', 'application/json', (made) =>
  JSON.stringify(made, undefined, 2),
);
onDownload('download-csv', 'webgpu-optim-proof.csv', 'text/csv', toCsv);
try {
  setText('adapter', describeAdapter((await requestAdapter()).info));
  if (address.has('start')) form.requestSubmit();
} catch (error) {
  startButton.disabled = true;
  setText('status', 'Nothing can be proved here.');
  showProblem(error);
}

/** Never rejects: what goes wrong is shown. */
async function prove(): Promise<void> {
  const names = ruleSelect.value === ALL ? Object.keys(rules) : [ruleSelect.value];
  const [quick, seed] = [extentSelect.value === 'quick', Number(seedInput.value)];
  setRunning(true);
  setText('status', 'Arithmetic …');
  progress.value = 0;
  hideProblem();
  isStopped = false;
  let gpu: DemoDevice | undefined;
  try {
    gpu = await openDevice('proof', () => undefined);
    const { device, adapterName } = gpu;
    const beforeCase = async (): Promise<void> => {
      await whenVisible();
      if (gpu?.failure) throw gpu.failure;
    };
    await beforeCase();
    const arithmetic = await probeNumerics(device, seed);
    const parity: ParityRow[] = [];
    for (const [done, name] of names.entries()) {
      if (isStopped) break;
      setText('status', `${name} …`);
      const rows = await measureParity(device, { seed, rules: [name], quick, beforeCase });
      // A lost device fails at everything, which is no fault of the rule.
      const trouble = rows.some(({ failed }) => failed > 0) ? await gpu.causeOf(undefined) : gpu.failure;
      if (trouble !== undefined) throw trouble;
      parity.push(...rows);
      progress.value = (done + 1) / names.length;
      report = {
        adapter: adapterName,
        browser: describeBrowser(),
        date: new Date().toISOString(),
        seed,
        dtype: 'f32',
        quick,
        parity,
        arithmetic,
      };
      show(parity, arithmetic);
    }
    setText('status', conclusion(parity));
  } catch (error) {
    const cause = (await gpu?.causeOf(error)) ?? error;
    setText('status', 'The proof could not be finished.');
    showProblem(cause);
  } finally {
    gpu?.close();
    setRunning(false);
  }
}

function conclusion(parity: readonly ParityRow[]): string {
  const { failed, passed } = totalsOf(parity);
  if (parity.length === 0) return 'Stopped before the first rule was done.';
  const end = isStopped ? 'Stopped' : 'Done';
  return failed === 0
    ? `${end}: all ${passed} runs passed.`
    : `${end}: ${failed} of ${passed + failed} runs FAILED.`;
}

function show(parity: readonly ParityRow[], arithmetic: readonly NumericsRow[]): void {
  const { passed, failed, sameBits, maxOfBound } = totalsOf(parity);
  setText('passed', String(passed));
  setText('failed', String(failed));
  setText('same-bits', String(sameBits));
  setText('of-bound', `${(100 * maxOfBound).toFixed(0)} %`);
  element('failed', HTMLElement).classList.toggle('wrong', failed > 0);
  fillTable(element('parity', HTMLTableElement), PARITY_HEADINGS, parity.map(parityCells));
  fillTable(
    element('arithmetic', HTMLTableElement),
    ['operation', 'found'],
    arithmetic.map(({ question, answer }) => [question, answer]),
  );
  const failures = parity.flatMap(({ firstFailure }) => firstFailure ?? []);
  element('failures', HTMLElement).replaceChildren(
    ...failures.map((text) => {
      const item = document.createElement('li');
      item.textContent = text;
      return item;
    }),
  );
  for (const id of ['result', 'arithmetic-panel']) element(id, HTMLElement).hidden = false;
}

function setRunning(isRunning: boolean): void {
  startButton.disabled = isRunning;
  stopButton.disabled = !isRunning;
  for (const control of [ruleSelect, extentSelect, seedInput]) control.disabled = isRunning;
}
