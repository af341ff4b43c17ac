import { element } from '../../site/elements.js';
import { DigitTask, predictDigits } from '../../../lab/tasks/digit-task.js';
import { type DigitSplit, fetchDigits, firstDigits } from '../../../lab/tasks/digits.js';
import { digitLearningRates, trainingDefaults } from '../presets.js';
import { DigitGrid } from './digit-grid.js';
import type { PageTask } from './page-task.js';

const PREVIEW_COUNT = 20;

let loading: Promise<DigitSplit> | undefined;
let grid: DigitGrid | undefined;

/** Handwritten digits. */
export const digitsOnPage: PageTask = {
  title: 'Handwritten digits',
  // Three epochs.
  steps: 375,
  learningRates: digitLearningRates,
  lossUnit: 'nats',
  lossPerNat: 1,
  async load() {
    const { heldOut } = await (loading ??= fetchDigits());
    grid ??= new DigitGrid(element('digits', HTMLElement), firstDigits(heldOut, PREVIEW_COUNT));
  },
  async open() {
    const split = await (loading ??= fetchDigits());
    const preview = firstDigits(split.heldOut, PREVIEW_COUNT);
    return {
      task: DigitTask.upload(split),
      batchSize: trainingDefaults.batchSize,
      network: '784 → 256 → 10',
      async show(models) {
        grid?.show(await Promise.all(models.map((model) => predictDigits(model, preview))));
      },
    };
  },
  clear() {
    grid?.clear();
  },
};
