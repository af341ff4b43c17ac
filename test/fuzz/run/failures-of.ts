import type { Case } from '../case/calls.js';
import { Devices } from './devices.js';
import { runCase } from './run-case.js';
import { watchUnhandled } from '../../support/unhandled.js';

/** Makes the calls of a case on devices of its own. @returns what was against the model. */
export async function failuresOf(given: Case): Promise<readonly string[]> {
  const devices = new Devices(navigator.gpu);
  const unhandled = watchUnhandled();
  try {
    return (await runCase(given, devices, unhandled)).failures;
  } finally {
    unhandled.destroy();
    devices.destroy();
  }
}
