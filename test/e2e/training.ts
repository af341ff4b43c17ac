/** Short training runs for tests, on the code that the page and `npm run train` use. */
import { DigitTask } from '../../lab/tasks/digit-task.js';
import { type DigitSplit, firstDigits } from '../../lab/tasks/digits.js';
import type { GpuSession } from '../../demo/train/gpu-session.js';
import type { OptimizerChoice } from '../../demo/train/optimizer-choice.js';
import { trainingDefaults } from '../../demo/train/presets.js';
import type { TrainingOptions, TrainingReport, TrainingSummary } from '../../demo/train/reports.js';
import { Trainer } from '../../demo/train/trainer.js';

/** A finished run: every training loss, every report, and the summary. */
export interface FinishedRun {
  readonly losses: readonly number[];
  readonly reports: readonly TrainingReport[];
  readonly summary: TrainingSummary;
}

export interface ShortRun extends Partial<TrainingOptions> {
  readonly maxSteps: number;
  /** Measure the optimizer's time first. */
  readonly measure?: boolean;
  /** Called between preparation and the first step. */
  readonly beforeLoop?: () => void;
  /** Called at every report. */
  readonly onReport?: (report: TrainingReport) => void;
}

/** Enough to tell whether a run learned; all 2,000 held-out digits would take longer than the run. */
const HELD_OUT_COUNT = 256;

/** Trains for a few steps with the defaults of `npm run train` and frees everything. */
export async function trainShortly(
  session: GpuSession,
  digits: DigitSplit,
  choice: OptimizerChoice,
  { measure, beforeLoop, onReport, ...options }: ShortRun,
): Promise<FinishedRun> {
  const { train, heldOut } = digits;
  const task = DigitTask.upload({ train, heldOut: firstDigits(heldOut, HELD_OUT_COUNT) });
  let trainer: Trainer | undefined;
  try {
    trainer = await Trainer.create(session, task, [choice], { ...trainingDefaults, ...options });
    if (measure === true) await trainer.measureOptimizers();
    beforeLoop?.();
    const losses: number[] = [];
    const reports: TrainingReport[] = [];
    const run = trainer.run();
    for (;;) {
      const { done, value } = await run.next();
      if (done === true) {
        await session.finish();
        session.assertHealthy();
        return { losses, reports, summary: value[0]! };
      }
      const report = value[0]!;
      reports.push(report);
      onReport?.(report);
      if (report.kind === 'progress') losses.push(...report.losses);
    }
  } finally {
    trainer?.destroy();
    task.destroy();
  }
}
