/** What an example of jax-js reads, and what is alive as its steps end. */
import { Array as JaxArray, getWebGPUDevice } from '@jax-js/jax';
import { watchBuffers } from '../../test/support/live-buffers.js';
import type { Alive, ProgramRecord } from './report.js';

const values: number[] = [];
const steps: Alive[] = [];
let alive: (() => Alive) | undefined;

/** A function that applies updates, counted. */
export const recorded =
  <A extends readonly unknown[], B>(apply: (...args: A) => B) =>
  (...args: A): B => {
    const params = apply(...args);
    if (alive) steps.push(alive());
    return params;
  };

/** Records from now on, until what is returned is called. */
export function recordSteps(): () => ProgramRecord {
  const buffers = watchBuffers(getWebGPUDevice());
  alive = () => {
    const { labels } = buffers;
    const ours = labels.filter((label) => label.startsWith('webgpu-optim'));
    return { tensors: labels.length - ours.length, buffers: ours.length };
  };
  const read: (this: JaxArray) => Promise<unknown> = Reflect.get(JaxArray.prototype, 'jsAsync');
  Reflect.set(JaxArray.prototype, 'jsAsync', async function readRecorded(this: JaxArray): Promise<unknown> {
    const value = await read.call(this);
    values.push(...[value].flat(Infinity).map(Number));
    return value;
  });
  return () => ({ losses: values, steps: steps.length, first: steps[0]!, last: steps.at(-1)!, standIns: [] });
}
