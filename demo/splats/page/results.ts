import { element, setText } from '../../site/elements.js';
import { LineChart } from '../../site/line-chart.js';
import { fillTable } from '../../site/table.js';
import { type Losses, aftermaths, costOf, psnr } from '../comparison.js';
import type { SplatPlan } from '../model/plan.js';
import type { Progress } from './run.js';

const HEADINGS = ['Behind step', 'Gaussians', 'pruned', 'split', 'now', 'kept', 'dropped', 'dropping costs'];

/** What both runs have come to: figures, chart, table, and what dropping the state costs. */
export class Results {
  private readonly losses: { kept: number[]; dropped: number[] } = { kept: [], dropped: [] };
  private readonly chart = new LineChart(element('chart', HTMLElement), {
    lines: [
      { label: 'state kept', color: '--accent', width: 2 },
      { label: 'state dropped', color: '--wrong', width: 2 },
    ],
    format: decibels,
    range: (low, high) => [Math.floor((low ?? 10) - 1), Math.ceil((high ?? 40) + 1)],
  });

  /** Forgets all. */
  clear(): void {
    this.losses.kept.length = this.losses.dropped.length = 0;
    for (const id of ['kept-psnr', 'dropped-psnr', 'steps', 'count', 'step-time']) setText(id, '–');
    for (const id of ['room', 'cost']) setText(id, '');
    element('table-panel', HTMLElement).hidden = true;
    this.chart.show([], [], []);
  }

  /** Takes what a portion of steps has brought. */
  add(plan: SplatPlan, { step, count, room, msPerStep, kept, dropped }: Progress): void {
    this.losses.kept.push(...kept);
    this.losses.dropped.push(...dropped);
    setText('steps', `${step.toLocaleString('en')} of ${plan.shape.steps.toLocaleString('en')}`);
    setText('count', count.toLocaleString('en'));
    setText('room', `room for ${room.toLocaleString('en')}`);
    setText('step-time', `${msPerStep < 10 ? msPerStep.toFixed(2) : msPerStep.toFixed(0)} ms`);
    this.showCurves();
    this.showCost(plan);
  }

  private showCurves(): void {
    const curves = [this.losses.kept, this.losses.dropped].map((losses) => losses.map(psnr));
    this.chart.show([...curves[0]!.keys()], ...curves);
    setText('kept-psnr', decibels(curves[0]!.at(-1)!));
    setText('dropped-psnr', decibels(curves[1]!.at(-1)!));
  }

  private showCost(plan: SplatPlan): void {
    const losses: Losses = this.losses;
    const cost = costOf(plan, losses);
    if (cost === undefined) return;
    const isDone = losses.kept.length > plan.shape.steps;
    setText(
      'cost',
      `Dropping the state ${verdict(cost.behind)} in the steps just behind a densification, on average; ` +
        `${isDone ? 'at the end' : 'at present'} it ${verdict(cost.atEnd)}.`,
    );
    element('table-panel', HTMLElement).hidden = false;
    fillTable(
      element('table', HTMLTableElement),
      HEADINGS,
      aftermaths(plan, losses).map(({ step, before, pruned, split, after, kept, dropped }) => [
        ...[step, before, pruned, split, after].map((value) => value.toLocaleString('en')),
        decibels(kept),
        decibels(dropped),
        decibels(kept - dropped),
      ]),
    );
  }
}

function verdict(decibelsLost: number): string {
  return `${decibelsLost < 0 ? 'gains' : 'costs'} ${decibels(Math.abs(decibelsLost))}`;
}

function decibels(value: number): string {
  return `${value.toFixed(2)} dB`;
}
