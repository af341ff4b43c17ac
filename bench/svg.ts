import { BarChart, LineChart, ScatterChart } from 'echarts/charts';
import { GridComponent, LegendComponent, MarkLineComponent, TitleComponent } from 'echarts/components';
import { type EChartsCoreOption, init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';

use([
  BarChart,
  LineChart,
  ScatterChart,
  GridComponent,
  LegendComponent,
  MarkLineComponent,
  TitleComponent,
  SVGRenderer,
]);

const WIDTH = 860;
const HEIGHT = 440;
/** As far from white as from GitHub's dark background: a contrast of 4.3 with both. */
export const INK = '#797979';
/** Hardly visible on either. */
const GRID_INK = 'rgba(128, 128, 128, 0.25)';
/** For series, in their order. All have a contrast of 3 or more with both. */
export const COLOURS = [
  '#2f81d6',
  '#7a6fd8',
  '#d1603d',
  '#b8860b',
  '#2e9360',
  '#797979',
  '#c2559b',
  '#20909c',
  '#8f7a5c',
  '#5b8f3a',
];

/** Draws a chart as SVG on no background, legible on light and dark pages. */
export function renderSvg(option: EChartsCoreOption): string {
  const chart = init(undefined, undefined, { renderer: 'svg', ssr: true, width: WIDTH, height: HEIGHT });
  chart.setOption({ animation: false, backgroundColor: 'transparent', textStyle: { color: INK }, ...option });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return `${svg}\n`;
}

/** Axes in these colours. */
export const axisInk = {
  axisLine: { lineStyle: { color: INK } },
  axisLabel: { color: INK },
  nameTextStyle: { color: INK },
  splitLine: { lineStyle: { color: GRID_INK } },
} as const;
