/** The Throughput page. `?rule=adam&size=1e6&rounds=3&peers=naive,cpu` chooses as the form does, and `&start` starts. */
import { createBenchPage } from '../../lab/measuring/page/bench-page.js';
import { BenchDeviceError, describeBrowser } from '../../lab/measuring/page/device.js';
import type { Row } from '../../lab/measuring/rows.js';
import { rules } from '../../src/index.js';
import { chooseByAddress, keepInAddress, setControl } from '../site/address.js';
import { element, setText } from '../site/elements.js';
import { hideProblem, showProblem } from '../site/problem.js';
import { GpuLostError, describeAdapter, isSoftware, requestAdapter } from '../site/webgpu.js';
import { Bars } from './bars.js';
import { formatFraction, formatMs, formatRate } from './format.js';
import { type EndReason, LADDER, type MeasurementRequest, STOPPED, measureSizes } from './measurement.js';
import { type DemoPeer, dtypePeers, peerTitles, peers, rivals } from './peers.js';
import { showRecorded } from './recorded.js';
import { ResultPanel } from './result.js';
import { SizeChart } from './size-chart.js';
import './style.css';

/** All rules, or all sizes. */
const ALL = 'all';
/** A measurement of a peer, in milliseconds: long against the clock's steps and a wait for the GPU. */
const MEASUREMENT_MS = 100;

const page = createBenchPage({ gpu: navigator.gpu, browser: describeBrowser(), peers });
const bars = new Bars(element('bars', HTMLElement));
const chart = new SizeChart(element('chart', HTMLElement));
const panel = new ResultPanel();
const form = element('controls', HTMLFormElement);
const [ruleSelect, sizeSelect] = (['rule', 'size'] as const).map((id) => element(id, HTMLSelectElement)) as [
  HTMLSelectElement,
  HTMLSelectElement,
];
const roundsInput = element('rounds', HTMLInputElement);
const seedInput = element('seed', HTMLInputElement);
const startButton = element('start', HTMLButtonElement);
const stopButton = element('stop', HTMLButtonElement);
const progress = element('progress', HTMLProgressElement);
/** Whom the form offers beside us and the limit. */
const choosable: readonly DemoPeer[] = [...rivals, ...dtypePeers];
let running: AbortController | undefined;

fillForm();
const address = chooseByAddress(choose);
keepInAddress(form, () => ({
  rule: ruleSelect.value,
  size: sizeSelect.value,
  rounds: roundsInput.value,
  seed: seedInput.value,
  peers: chosenPeers().join(','),
}));
void showRecorded();
// The benchmark throws what the device reports where nobody catches it.
addEventListener('error', (event) => endWith(event.error, event));
addEventListener('unhandledrejection', (event) => endWith(event.reason, event));
form.addEventListener('submit', (event) => {
  event.preventDefault();
  void measure();
});
stopButton.addEventListener('click', () => running?.abort(STOPPED));
try {
  const { info } = await requestAdapter();
  setText(
    'adapter',
    `${describeAdapter(info)}${isSoftware(info) ? ': no GPU, but a program on the CPU' : ''}`,
  );
  if (address.has('start')) form.requestSubmit();
} catch (error) {
  startButton.disabled = true;
  setText('status', 'Nothing can be measured here.');
  showProblem(error);
}

function fillForm(): void {
  ruleSelect.append(...Object.keys(rules).map((name) => new Option(name)), new Option('all rules', ALL));
  sizeSelect.append(
    new Option('all, up to the largest that fits', ALL),
    ...LADDER.map((size) => new Option(size.toLocaleString('en'), String(size))),
  );
  for (const peer of choosable) {
    const box = document.createElement('input');
    Object.assign(box, { type: 'checkbox', name: 'peer', value: peer });
    const label = document.createElement('label');
    label.append(box, peerTitles[peer]);
    element('peers', HTMLElement).append(label);
  }
}

/** @throws Error on anything that the form does not have. */
function choose(given: URLSearchParams): void {
  const wanted = new URLSearchParams(given);
  const size = wanted.get('size');
  // As 1e6, too.
  if (size !== null && size !== ALL && size !== '') wanted.set('size', String(Number(size)));
  setControl(ruleSelect, wanted, 'adam');
  setControl(sizeSelect, wanted, ALL);
  setControl(roundsInput, wanted, '7');
  setControl(seedInput, wanted, '1');
  const chosen = wanted.get('peers')?.split(',').filter(Boolean) ?? rivals;
  const unknown = chosen.find((peer) => !choosable.some((each) => each === peer));
  if (unknown !== undefined) {
    throw new Error(`The address names the peer ${unknown}; give some of ${choosable.join(',')}.`);
  }
  for (const box of element('peers', HTMLElement).querySelectorAll('input')) {
    box.checked = chosen.some((peer) => peer === box.value);
  }
}

function chosenPeers(): DemoPeer[] {
  return new FormData(form).getAll('peer') as DemoPeer[];
}

function readForm(): MeasurementRequest {
  const size = sizeSelect.value;
  return {
    rules: ruleSelect.value === ALL ? Object.keys(rules) : [ruleSelect.value],
    sizes: size === ALL ? LADDER : [Number(size)],
    peers: ['ours', 'limit', ...chosenPeers()],
    rounds: Number(roundsInput.value),
    seed: Number(seedInput.value),
    minMeasurementMs: MEASUREMENT_MS,
  };
}

const endings: Record<EndReason, string> = {
  'all measured': 'Done.',
  stopped: 'Stopped.',
  'too large for the memory': 'Done: the next size does not fit.',
  'a larger size would take long': 'Done: the next size would take long.',
};

/** Never rejects: what goes wrong is shown. */
async function measure(): Promise<void> {
  const request = readForm();
  running = new AbortController();
  setRunning(true);
  hideProblem();
  const rows: Row[] = [];
  let [done, all] = [0, 1];
  try {
    const { results, end } = await measureSizes(
      page,
      request,
      {
        preparing: (text) => {
          setText('status', `${text} elements: preparing …`);
          progress.value = 0;
        },
        prepared: (taking, measurements) => {
          bars.start(taking);
          [done, all] = [0, taking.length * measurements];
        },
        measured: (peer, elements, msPerStep) => {
          done += 1;
          progress.value = done / all;
          setText('status', `${elements.toLocaleString('en')} elements: measuring …`);
          bars.add(peer, elements, msPerStep);
        },
        finished: (found) => {
          rows.push(...found);
          showOurs(found);
          const ofRule = rows.filter(({ rule }) => rule === found[0]!.rule);
          element('chart-panel', HTMLElement).hidden = new Set(ofRule.map((row) => row.case)).size < 2;
          chart.show(ofRule);
        },
      },
      running.signal,
    );
    progress.value = 1;
    setText('status', endings[end]);
    panel.show(results);
  } catch (error) {
    setText('status', 'The measurement failed.');
    showProblem(error);
  } finally {
    running = undefined;
    setRunning(false);
  }
}

/** Ends the measurement with an error of its device: its times would mean nothing. Between two of them it is of no interest. */
function endWith(error: unknown, event: Event): void {
  if (!(error instanceof BenchDeviceError)) {
    showProblem(error);
    return;
  }
  event.preventDefault();
  running?.abort(error.isLoss ? new GpuLostError(error.message) : error);
}

function showOurs(found: readonly Row[]): void {
  const row = found.find(({ peer }) => peer === 'ours');
  if (!row) return;
  setText('elements-rate', formatRate(row.elementsPerSecond));
  setText('byte-rate', row.gbPerSecond.toPrecision(3));
  setText('fraction', formatFraction(row));
  setText('step-time', formatMs(row.medianMs));
}

function setRunning(isRunning: boolean): void {
  startButton.disabled = isRunning;
  stopButton.disabled = !isRunning;
  for (const control of form.querySelectorAll<HTMLInputElement | HTMLSelectElement>('input, select')) {
    control.disabled = isRunning;
  }
}
