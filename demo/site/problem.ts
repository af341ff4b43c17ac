import { element } from './elements.js';
import { GpuLostError, WebGpuUnavailableError } from './webgpu.js';
import { type Help, helpAfterLoss, helpFor } from './webgpu-help.js';

/**
 * Shows what went wrong, in the page's `<section id="problem">`. Without WebGPU: what to do about it, and the page's
 * recorded picture, which the html has as `<figure id="recorded" hidden>`.
 */
export function showProblem(error: unknown): void {
  const { title, steps } = describe(error);
  const heading = document.createElement('h2');
  heading.textContent = title;
  const list = document.createElement('ol');
  list.append(
    ...steps.map((step) => {
      const item = document.createElement('li');
      item.textContent = step;
      return item;
    }),
  );
  const problem = element('problem', HTMLElement);
  problem.replaceChildren(heading, list);
  problem.hidden = false;
  // On a phone the button that led to it is far below.
  problem.scrollIntoView({ block: 'nearest' });
  const recorded = document.getElementById('recorded');
  if (error instanceof WebGpuUnavailableError && recorded) recorded.hidden = false;
}

/** Takes the problem back. */
export function hideProblem(): void {
  element('problem', HTMLElement).hidden = true;
  const recorded = document.getElementById('recorded');
  if (recorded) recorded.hidden = true;
}

function describe(error: unknown): Help {
  if (error instanceof WebGpuUnavailableError) return helpFor(error.missing, navigator.userAgent);
  if (error instanceof GpuLostError) return helpAfterLoss(error.message);
  return { title: 'Something went wrong', steps: [error instanceof Error ? error.message : String(error)] };
}
