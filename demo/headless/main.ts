import { DigitTask } from '../../lab/tasks/digit-task.js';
import { fetchDigits, type DigitSplit } from '../../lab/tasks/digits.js';
import { GpuSession } from '../train/gpu-session.js';
import type { OptimizerChoice } from '../train/optimizer-choice.js';
import { peerNames } from '../train/peers.js';
import type { TrainingOptions, TrainingSummary } from '../train/reports.js';
import { trainedRules } from '../train/trained-rules.js';
import { Trainer } from '../train/trainer.js';
import type { HeadlessMessage } from './protocol.js';

let digits: DigitSplit | undefined;
let session: GpuSession | undefined;

window.headlessTraining = {
  async open() {
    digits = await fetchDigits();
    session = await GpuSession.open();
    return {
      adapter: session.adapterName,
      heldOutCount: digits.heldOut.count,
      rules: Object.fromEntries(Object.entries(trainedRules).map(([name, { title }]) => [name, title])),
      peers: peerNames,
    };
  },

  start(choice, options) {
    train(choice, options).then(
      (summary) => report({ kind: 'done', summary }),
      (error: unknown) =>
        report({ kind: 'failed', message: error instanceof Error ? error.message : String(error) }),
    );
  },
};

async function train(choice: OptimizerChoice, options: TrainingOptions): Promise<TrainingSummary> {
  if (digits === undefined || session === undefined) {
    throw new Error('open() comes before start().');
  }
  const task = DigitTask.upload(digits);
  let trainer: Trainer | undefined;
  try {
    trainer = await Trainer.create(session, task, [choice], options);
    await trainer.measureOptimizers();
    const run = trainer.run();
    for (;;) {
      const { done, value } = await run.next();
      if (done === true) {
        await session.finish();
        session.assertHealthy();
        return value[0]!;
      }
      await report(value[0]!);
    }
  } finally {
    trainer?.destroy();
    task.destroy();
  }
}

async function report(message: HeadlessMessage): Promise<void> {
  await window.reportTraining?.(message);
}
