import { fetchDigits, type DigitSplit } from '../train/digits.js';
import { GpuSession } from '../train/gpu-session.js';
import { ruleNames, type OptimizerChoice } from '../train/optimizer-choice.js';
import { peerNames } from '../train/peers.js';
import type { TrainingOptions, TrainingSummary } from '../train/reports.js';
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
      rules: ruleNames,
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
  const trainer = await Trainer.create(session, digits, choice, options);
  try {
    await trainer.measureOptimizer();
    const run = trainer.run();
    for (;;) {
      const { done, value } = await run.next();
      if (done === true) {
        await session.finish();
        session.assertHealthy();
        return value;
      }
      await report(value);
    }
  } finally {
    trainer.destroy();
  }
}

async function report(message: HeadlessMessage): Promise<void> {
  await window.reportTraining?.(message);
}
