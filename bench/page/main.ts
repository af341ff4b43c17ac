import type { suites } from '../suites/suites.js';

/** Each makes what is offered as `bench`. Only what is asked for is loaded: a suite's library may take its time. */
const pages: Record<'steps' | keyof typeof suites, () => Promise<{ bench: object }>> = {
  steps: () => import('./suites/steps.js'),
  calls: () => import('./suites/calls.js'),
  dtypes: () => import('./suites/dtypes.js'),
  'first-step': () => import('./suites/first-step.js'),
  matrix: () => import('./suites/matrix.js'),
  rows: () => import('./suites/rows.js'),
  shapes: () => import('./suites/shapes.js'),
  sparse: () => import('./suites/sparse.js'),
  tfjs: () => import('./suites/tfjs.js'),
  jax: () => import('./suites/jax.js'),
  onnxruntime: () => import('./suites/onnxruntime.js'),
};

const suite = new URLSearchParams(location.search).get('suite') ?? 'steps';
const load = Object.entries(pages).find(([name]) => name === suite)?.[1];
if (!load) throw new Error(`There is no suite "${suite}"; there are ${Object.keys(pages).join(', ')}.`);
Object.assign(globalThis, { bench: (await load()).bench });
