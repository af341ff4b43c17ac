import type uPlot from 'uplot';
import type { Row } from '../../lab/measuring/rows.js';
import { colorOf } from '../site/theme.js';
import { type PlotOptions, ThemedPlot, themedAxis } from '../site/themed-plot.js';
import { formatRate } from './format.js';
import { type DemoPeer, peerTitles } from './peers.js';

const HEIGHT_PIXELS = 280;

/** Bytes per second against elements, a line per peer: small tensors pay for the dispatch, large ones for their bytes. */
export class SizeChart {
  private sizes: readonly number[] = [];
  private peers: readonly DemoPeer[] = [];
  private rows: readonly Row[] = [];
  private readonly plot: ThemedPlot;

  constructor(container: HTMLElement) {
    this.plot = new ThemedPlot(container, HEIGHT_PIXELS, () => ({
      options: this.describe(),
      data: [[...this.sizes], ...this.peers.map((peer) => this.sizes.map((size) => this.rateOf(peer, size)))],
    }));
  }

  show(rows: readonly Row[]): void {
    this.rows = rows;
    this.sizes = [...new Set(rows.map((row) => Number(row.case)))];
    this.peers = [...new Set(rows.map((row) => row.peer as DemoPeer))];
    this.plot.redraw();
  }

  private rateOf(peer: DemoPeer, size: number): number | null {
    return this.rows.find((row) => row.peer === peer && Number(row.case) === size)?.gbPerSecond ?? null;
  }

  private describe(): PlotOptions {
    const atPowers = (write: (tick: number) => string) => (_plot: uPlot, ticks: number[]) =>
      ticks.map((tick) => (isPowerOfTen(tick) ? write(tick) : ''));
    return {
      scales: { x: { time: false, distr: 3 }, y: { distr: 3 } },
      axes: [
        { ...themedAxis(), values: atPowers(formatRate) },
        { ...themedAxis(), size: 60, label: 'GB/s', values: atPowers(String) },
      ],
      series: [
        { label: 'elements', value: (_plot, value) => (value === null ? '–' : formatRate(value)) },
        ...this.peers.map((peer) => ({
          label: peerTitles[peer],
          stroke: colorOf(`--peer-${peer}`),
          width: peer === 'ours' ? 3 : 2,
          value: (_plot: uPlot, value: number | null) =>
            value === null ? '–' : `${value.toPrecision(3)} GB/s`,
        })),
      ],
    };
  }
}

const isPowerOfTen = (value: number | null): boolean =>
  value !== null && Math.abs(Math.log10(value) - Math.round(Math.log10(value))) < 1e-9;
