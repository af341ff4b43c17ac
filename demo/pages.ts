/** A page of the demo. */
export interface DemoPage {
  /** Its folder, and the last part of its address; `''` is the start page. */
  readonly path: string;
  /** Its name in the menu. */
  readonly name: string;
  /** What one sees there, in one sentence. */
  readonly summary: string;
}

/** The one list of pages: menu, start page, build and end-to-end tests follow it. */
export const pages: readonly DemoPage[] = [
  {
    path: 'playground',
    name: 'Playground',
    summary: 'Recipes of the guides, in an editor: change one, and run it on your GPU.',
  },
  {
    path: 'race',
    name: 'Race',
    summary:
      'Thousands of particles per optimizer descend a surface; four claims of lectures, put to the test.',
  },
  {
    path: 'train',
    name: 'Train',
    summary: 'Two optimizers side by side: networks learn handwritten digits, or to write like Moby Dick.',
  },
  {
    path: 'large',
    name: 'Large',
    summary:
      'A hash grid of up to tens of millions of parameters learns a photograph, sharper with every step.',
  },
  {
    path: 'splats',
    name: 'Splats',
    summary:
      'Gaussians learn a photograph, split and pruned on the GPU, with the optimizer’s state and with it dropped.',
  },
  {
    path: 'throughput',
    name: 'Throughput',
    summary: 'Elements and bytes per second on your GPU, against its own limit and against other code.',
  },
  {
    path: 'prove',
    name: 'Prove',
    summary: 'Every rule on your GPU against the reference on your CPU, bit by bit.',
  },
];

/** The start page, which lists the others. */
export const home: DemoPage = { path: '', name: 'webgpu-optim', summary: 'The optimizer step on WebGPU.' };
