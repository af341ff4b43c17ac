/** The examples of pages that need a browser's page: its files, or frameworks; the others are in `test/gpu/examples.test.ts`. */
import * as jax from '@jax-js/jax';
import * as tf from '@tensorflow/tfjs-core';
import * as ort from 'onnxruntime-web/webgpu';
import { expect, onTestFinished, vi } from 'vitest';
import type { OnnxTrainer } from '../../src/adapters/onnxruntime/index.js';
import type { Optimizer } from '../../src/index.js';
import { testPages } from '../support/examples.js';
import { BATCH, sessions, smallBatch, smallModels } from '../support/onnx-trainer.js';

/** Takes a file out of the origin's own file system, where an example left it. */
async function removeFile(name: string): Promise<void> {
  await (await navigator.storage.getDirectory()).removeEntry(name);
}

const disposeTfjs = ({ optimizer }: { optimizer: tf.Optimizer }): void => {
  optimizer.dispose();
  tf.disposeVariables();
};

testPages(true, {
  'README.md': {
    async after({ run, device }: { run: Optimizer; device: GPUDevice }) {
      expect(run.groups.map(({ options }) => options['weightDecay'])).toEqual([0.01, 0]);
      expect(run.lr).toBe(0);
      run.destroy();
      device.destroy();
      await removeFile('run.safetensors');
    },
  },
  'docs/checkpoints.md': {
    async after({ optimizer, restored }: { optimizer: Optimizer; restored: Optimizer }) {
      expect(await restored.stateDict()).toEqual(await optimizer.stateDict());
      expect(await restored.readParam('w')).toEqual(await optimizer.readParam('w'));
      await removeFile('run.safetensors');
    },
  },
  'docs/safetensors.md': {
    async after({ weights }: { weights: Float32Array }, { logged }) {
      expect(logged).toEqual([['dense.weight', 'F32', [2, 3]]]);
      expect(weights).toEqual(new Float32Array(6));
      await removeFile('model.safetensors');
    },
  },
  'docs/guides/tfjs.md': { after: disposeTfjs },
  'docs/migrating/from-tf-train.md': { after: disposeTfjs },
  'docs/guides/jax-js.md': {
    after({ params, x, y }: { params: unknown; x: jax.Array; y: jax.Array }, { logged }) {
      const losses = logged.map(([loss]) => loss as number);
      expect(losses).toHaveLength(6);
      expect(losses.at(-1)).toBeLessThan(0.01 * losses[0]!);
      jax.tree.dispose([params, x, y] as never);
    },
  },
  'docs/guides/onnxruntime.md': {
    given() {
      const { fetch } = globalThis;
      // Where the runtime looks for the files of the page.
      vi.stubGlobal('fetch', async (input: RequestInfo | URL, init?: RequestInit) => {
        const [, name] = /^(\w+)\.onnx$/.exec(typeof input === 'string' ? input : '') ?? [];
        return name === undefined
          ? fetch(input, init)
          : new Response(smallModels[name as keyof typeof smallModels]);
      });
      onTestFinished(() => void vi.unstubAllGlobals());
      return { batches: [1, 2, 3].map((seed) => smallBatch(seed)), test: smallBatch(4)['x'] };
    },
    async after({
      trainer,
      initial,
      forward,
      scores,
    }: {
      trainer: OnnxTrainer;
      initial: ort.InferenceSession;
      forward: ort.InferenceSession;
      scores: ort.Tensor;
    }) {
      sessions.push(initial, forward);
      expect(scores.dims).toEqual([BATCH, 4]);
      expect((await trainer.optimizer.stats()).step).toBe(3);
      expect(trainer.device).toBe(await ort.env.webgpu.device);
      await trainer.destroy();
    },
  },
});
