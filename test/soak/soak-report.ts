import { COLOURS, INK, axisInk, renderSvg } from '../../bench/svg.js';
import type { Sample } from './soak-run.js';

/** What is counted, and how it is told. */
const MEASURES: readonly { readonly key: keyof Sample; readonly name: string }[] = [
  { key: 'buffers', name: 'GPU buffers' },
  { key: 'bufferBytes', name: 'bytes of GPU buffers' },
  { key: 'others', name: 'other GPU objects' },
  { key: 'pending', name: 'pending promises' },
  { key: 'heapBytes', name: 'bytes of the JavaScript heap' },
];

/** Until so much of the run is over, caches fill. */
const WARM_UP = 0.1;
/** What is alive varies with the parameters that there are: as much as it varied at first, and so much more. */
const MOST_GROWTH = 1.1;

/** Samples of the start, behind the warm-up, and of the end: a fifth of the run each. */
function ends(samples: readonly Sample[]): { start: readonly Sample[]; end: readonly Sample[] } {
  const at = (share: number) => Math.floor(share * samples.length);
  return { start: samples.slice(at(WARM_UP), at(WARM_UP + 0.2)), end: samples.slice(at(0.8)) };
}

/** A count may come before what was collected is told of: no single one decides. */
function median(samples: readonly Sample[], key: keyof Sample): number {
  const sorted = samples.map((sample) => sample[key]).toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}

/** What there is more of at the end, by the median, than there ever was at the start. */
export function findGrowth(samples: readonly Sample[]): string[] {
  const { start, end } = ends(samples);
  return MEASURES.flatMap(({ key, name }) => {
    const [most, later] = [Math.max(...start.map((sample) => sample[key])), median(end, key)];
    if (later <= MOST_GROWTH * most) return [];
    return [`${name}: ${Math.round(later)} at the end by the median, ${most} at most at the start`];
  });
}

const numbers = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

/** What was alive at the start and at the end, as a page of the docs. */
export function writeSoak(samples: readonly Sample[], seed: number): string {
  const { start, end } = ends(samples);
  const rows = MEASURES.map(
    ({ key, name }) =>
      `| ${name} | ${numbers.format(median(start, key))} | ${numbers.format(median(end, key))} | ${numbers.format(
        Math.max(...samples.map((sample) => sample[key])),
      )} |`,
  );
  const steps = numbers.format(samples.at(-1)!.step);
  return `# A long run

\`npm run soak -- --seed ${seed}\` made ${steps} steps of one optimizer, with everything changing on the way: parameters that came, went,
rested, grew and moved to other buffers and groups; options, state, counts and averages that were set, swapped, saved and loaded;
checkpoints and readings, awaited by nobody. Garbage was collected before each of the ${samples.length} counts. It fails if there is
more of anything at the end than there was at the start.

| alive | at the start | at the end | at most |
| ----- | -----------: | ---------: | ------: |
${rows.join('\n')}

Start and end are medians over a fifth of the run each, the start behind the first tenth, in which kernels are compiled.

![What is alive, over the steps](soak.svg)
`;
}

/** What was alive over the steps, each in parts of what it was at the start. */
export function drawSoak(samples: readonly Sample[], seed: number): string {
  const { start } = ends(samples);
  const drawn = MEASURES.filter(({ key }) => key !== 'pending');
  return renderSvg({
    title: {
      left: 0,
      text: 'What is alive while everything changes, over what it was at the start',
      subtext: `${numbers.format(samples.at(-1)!.step)} steps, seed ${seed}, Node on Dawn and SwiftShader`,
      textStyle: { color: INK, fontSize: 15 },
      subtextStyle: { color: INK },
    },
    legend: { data: drawn.map(({ name }) => name), top: 52, left: 0, textStyle: { color: INK } },
    grid: { left: 48, right: 24, top: 92, bottom: 48 },
    xAxis: {
      type: 'value',
      name: 'steps',
      nameLocation: 'middle',
      nameGap: 28,
      max: samples.at(-1)!.step,
      ...axisInk,
    },
    yAxis: { type: 'value', min: 0, ...axisInk },
    series: drawn.map(({ key, name }, k) => ({
      name,
      type: 'line',
      symbol: 'none',
      lineStyle: { color: COLOURS[k], width: 1.5 },
      itemStyle: { color: COLOURS[k] },
      data: samples.map((sample) => [sample.step, sample[key] / median(start, key)]),
    })),
  });
}
