import { element, setText } from '../../site/elements.js';
import { type OptimizerChoice, titleOf } from '../optimizer-choice.js';
import type { TrainingReport } from '../reports.js';
import { CurveChart } from './curve-chart.js';
import type { PageTask } from './page-task.js';
import type { Preparation } from './run.js';
import { SIDES, type Side } from './sides.js';

/** Weight of the newest step in the smoothed loss; single batches are too noisy to read. */
const NEWEST_WEIGHT = 0.05;
const COLORS = { left: '--side-left', right: '--side-right' } as const;
const NUMBERS = ['loss', 'held-out', 'accuracy', 'time'] as const;

/** How a run goes: numbers and curves of both sides. */
export class Progress {
  private readonly lossChart = new CurveChart(element('loss-chart', HTMLElement), 3);
  private readonly accuracyChart = new CurveChart(element('accuracy-chart', HTMLElement), 100);
  private readonly bar = element('progress', HTMLProgressElement);
  private smoothed: number[] = [];

  /** `task` gives losses their unit. */
  constructor(private task: PageTask) {}

  /** Empties everything for a run of these optimizers. */
  start(task: PageTask, choices: readonly OptimizerChoice[]): void {
    this.task = task;
    this.smoothed = [];
    this.bar.value = 0;
    const names = choices.map(titleOf);
    const labels = names[0] === names[1] ? SIDES.map((side, i) => `${names[i]} (${side})`) : names;
    for (const [i, side] of SIDES.entries()) {
      setText(`${side}-name`, labels[i]!);
      setText(`${side}-title`, labels[i]!);
      for (const number of NUMBERS) setText(`${side}-${number}`, '–');
    }
    for (const id of ['rate', 'steps-done', 'network', 'elements']) setText(id, '–');
    for (const id of ['loss-unit', 'loss-chart-unit']) setText(id, task.lossUnit);
    const line = (side: Side, i: number): { label: string; color: `--${string}` } => ({
      label: labels[i]!,
      color: COLORS[side],
    });
    const baseline = task.baseline?.();
    this.lossChart.start(
      [
        ...SIDES.map((side, i) => ({ ...line(side, i), style: 'line' as const })),
        ...SIDES.map((side, i) => ({
          ...line(side, i),
          label: `${labels[i]}, held out`,
          style: 'points' as const,
        })),
        ...(baseline ? [{ label: baseline.label, color: '--muted', style: 'level' } as const] : []),
      ],
      (loss) => loss.toFixed(3),
    );
    this.accuracyChart.start(
      SIDES.map((side, i) => ({ ...line(side, i), style: 'points' })),
      (percent) => `${percent.toFixed(1)} %`,
    );
  }

  prepared({ network, elementCount, tensorCount, optimizerMs }: Preparation): void {
    setText('network', network);
    setText('elements', `${elementCount.toLocaleString('en')} in ${tensorCount} tensors`);
    for (const [i, side] of SIDES.entries()) setText(`${side}-time`, optimizerMs[i]!.toPrecision(3));
  }

  /** Adds the reports of both sides. */
  add(reports: readonly TrainingReport[]): void {
    const toUnit = (nats: number): number => nats * this.task.lossPerNat;
    const baseline = this.task.baseline ? [this.task.baseline().loss] : [];
    const none = SIDES.map(() => null);
    const { step } = reports[0]!;
    for (const [i, report] of reports.entries()) {
      const side = SIDES[i]!;
      if (report.kind === 'epoch') {
        setText(`${side}-held-out`, toUnit(report.loss).toFixed(4));
        setText(`${side}-accuracy`, `${(report.accuracy * 100).toFixed(1)} %`);
      } else {
        setText(`${side}-loss`, toUnit(report.loss).toFixed(4));
      }
    }
    const epochs = reports.filter((report) => report.kind === 'epoch');
    const intervals = reports.filter((report) => report.kind === 'progress');
    if (epochs.length > 0) {
      this.lossChart.add(step, [...none, ...epochs.map(({ loss }) => toUnit(loss)), ...baseline]);
      this.accuracyChart.add(
        step,
        epochs.map(({ accuracy }) => accuracy * 100),
      );
      this.accuracyChart.draw();
    }
    const [first] = intervals;
    if (first !== undefined) {
      for (let at = 0; at < first.losses.length; at++) {
        const number = step - first.losses.length + at + 1;
        this.smooth(
          intervals.map(({ losses }) => toUnit(losses[at]!)),
          number,
        );
        this.lossChart.add(number, [...this.smoothed, ...none, ...baseline]);
      }
      this.bar.value = step / first.totalSteps;
      setText('steps-done', `${step} of ${first.totalSteps}`);
      setText('rate', first.stepsPerSecond.toFixed(1));
    }
    this.lossChart.draw();
  }

  private smooth(losses: readonly number[], step: number): void {
    // At first a plain mean: a line that starts with a small weight would trail far behind.
    const weight = Math.max(NEWEST_WEIGHT, 2 / (step + 1));
    this.smoothed = losses.map((loss, i) => {
      const last = this.smoothed[i] ?? loss;
      return last + weight * (loss - last);
    });
  }
}
