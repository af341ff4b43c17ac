import type { EChartsCoreOption } from 'echarts/core';
import { curvePoints } from '../lab/measuring/fit.js';
import { PEER_NAMES, type PeerName } from '../lab/measuring/protocol.js';
import type { Results } from '../lab/measuring/rows.js';
import type { SuiteResults } from './suite.js';
import { COLOURS, INK, axisInk, renderSvg } from './svg.js';

/**
 * Draws what results hold, as SVG on no background, legible on light and dark pages.
 *
 * @param name of the files, without an ending.
 * @returns SVG text by file name: `NAME.svg` of a suite, or where Adam and its limit were measured, and `NAME-curve.svg` of a
 *   cost curve.
 */
export function drawCharts(results: Results | SuiteResults, name: string): Record<string, string> {
  const [bars, curve] =
    'suite' in results
      ? [barOptions(suiteBars(results), results), undefined]
      : [barOptions(peerBars(results), results), curveOptions(results)];
  return {
    ...(bars && { [`${name}.svg`]: renderSvg(bars) }),
    ...(curve && { [`${name}-curve.svg`]: renderSvg(curve) }),
  };
}

/** Times over that of a baseline, per case a group of bars. */
interface Bars {
  readonly title: string;
  readonly baseline: string;
  readonly bars: readonly { readonly case: string; readonly name: string; readonly times: number }[];
  readonly colourOf: (name: string) => string;
}

/** Adam's time over the limit's. */
function peerBars({ rows }: Results): Bars {
  const order = (peer: PeerName): number => PEER_NAMES.indexOf(peer);
  return {
    title: 'Adam: time of a step over the memory-traffic limit',
    baseline: 'limit',
    bars: rows
      .filter(
        ({ rule, peer, fractionOfLimit }) => rule === 'adam' && peer !== 'limit' && fractionOfLimit !== null,
      )
      .toSorted((a, b) => order(a.peer) - order(b.peer))
      .map((row) => ({ case: row.case, name: row.peer, times: 1 / row.fractionOfLimit! })),
    colourOf: (name) => colourOf(name as PeerName),
  };
}

/** Each contestant's time over the baseline's. */
function suiteBars({ suite, baseline, rows }: SuiteResults): Bars {
  const names = [...new Set(rows.map(({ contestant }) => contestant))];
  return {
    title: `${suite}: time of a step over that of ${baseline}`,
    baseline,
    bars: rows.map((row) => ({ case: row.case, name: row.contestant, times: row.timesBaseline })),
    colourOf: (name) => COLOURS[names.indexOf(name) % COLOURS.length]!,
  };
}

function barOptions(
  { title, baseline, bars, colourOf: colour }: Bars,
  results: Results | SuiteResults,
): EChartsCoreOption | undefined {
  if (bars.length === 0) return undefined;
  const ratios = bars.map(({ times }) => times);
  const cases = [...new Set(results.rows.map((row) => row.case))].filter((text) =>
    bars.some((bar) => bar.case === text),
  );
  const names = [...new Set(bars.map(({ name }) => name))];
  return {
    ...heading(title, results),
    legend: legendOf(names),
    grid: { left: 56, right: 16, top: 108, bottom: 32 },
    xAxis: { type: 'category', data: cases, ...axisInk },
    yAxis: {
      type: 'log',
      // A bar begins at the baseline: what stands above took longer.
      startValue: 1,
      min: decadeBelow(Math.min(1, ...ratios)),
      max: decadeAbove(Math.max(1, ...ratios)),
      ...axisInk,
      axisLabel: { color: INK, formatter: (value: number) => `${value} ×` },
    },
    series: names.map((name, k) => ({
      name,
      type: 'bar',
      barMaxWidth: 40,
      itemStyle: { color: colour(name) },
      data: cases.map((text) => bars.find((bar) => bar.name === name && bar.case === text)?.times ?? '-'),
      ...(k === 0 && {
        markLine: {
          symbol: 'none',
          silent: true,
          label: { formatter: baseline, color: INK, position: 'insideEndTop' },
          lineStyle: { color: INK },
          data: [{ yAxis: 1 }],
        },
      }),
    })),
  };
}

/** Measured times as points and the fitted costs as lines, against the number of elements. */
function curveOptions(results: Results): EChartsCoreOption | undefined {
  const { curve = [], rows } = results;
  if (curve.length === 0) return undefined;
  const measured = curvePoints(rows);
  const rules = new Set(curve.map(({ rule }) => rule));
  const label = (peer: PeerName, rule: string) => (rules.size === 1 ? peer : `${peer} ${rule}`);
  const sizes = measured.flatMap(({ points }) => points.map(({ elements }) => elements));
  const [least, most] = [decadeBelow(Math.min(...sizes)), decadeAbove(Math.max(...sizes))];
  return {
    ...heading(`${[...rules].join(', ')}: time of a step, measured and fitted`, results),
    legend: legendOf(curve.map(({ peer, rule }) => label(peer, rule))),
    grid: { left: 56, right: 24, top: 108, bottom: 48 },
    xAxis: {
      type: 'log',
      name: 'elements',
      nameLocation: 'middle',
      nameGap: 28,
      min: least,
      max: most,
      ...axisInk,
      axisLabel: { color: INK, formatter: (value: number) => value.toExponential().replace('e+', 'e') },
    },
    yAxis: {
      type: 'log',
      ...axisInk,
      axisLabel: { color: INK, formatter: (value: number) => `${value} ms` },
    },
    series: curve.flatMap(({ peer, rule, fixedMs, nsPerElement }) => {
      const colour = colourOf(peer);
      const points = measured.find((group) => group.peer === peer && group.rule === rule)?.points ?? [];
      return [
        {
          name: label(peer, rule),
          type: 'scatter',
          symbolSize: 8,
          itemStyle: { color: colour },
          data: points.map(({ elements, ms }) => [elements, ms]),
        },
        {
          name: label(peer, rule),
          type: 'line',
          symbol: 'none',
          lineStyle: { color: colour, width: 1.5 },
          itemStyle: { color: colour },
          data: logSpaced(least, most).map((elements) => [
            elements,
            fixedMs + (nsPerElement * elements) / 1e6,
          ]),
        },
      ];
    }),
  };
}

function heading(
  text: string,
  { adapter, browser, rounds, date }: Results | SuiteResults,
): EChartsCoreOption {
  return {
    title: {
      left: 0,
      text,
      subtext: `${adapter}\n${browser}, median of ${rounds} rounds, ${date.slice(0, 10)}`,
      textStyle: { color: INK, fontSize: 15 },
      subtextStyle: { color: INK },
    },
  };
}

function legendOf(names: readonly string[]): EChartsCoreOption {
  return { data: names, top: 68, left: 0, textStyle: { color: INK } };
}

/** By position in PEER_NAMES, so that a peer keeps its colour in every chart. */
function colourOf(peer: PeerName): string {
  return COLOURS[PEER_NAMES.indexOf(peer) % COLOURS.length]!;
}

/** Points of a line that is bent on logarithmic axes. */
function logSpaced(least: number, most: number): number[] {
  const count = 64;
  return Array.from({ length: count + 1 }, (_, k) => least * (most / least) ** (k / count));
}

function decadeBelow(value: number): number {
  return 10 ** Math.floor(Math.log10(value));
}

function decadeAbove(value: number): number {
  return 10 ** Math.ceil(Math.log10(value));
}
