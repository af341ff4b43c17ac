import { element, setText } from '../../site/elements.js';
import { heightAt } from '../../shared/photo.js';
import { type SplatLimits, reasonAgainst } from '../model/plan.js';
import {
  type Settings,
  type SizeSettings,
  counts,
  intervals,
  planFor,
  stepCounts,
  widths,
} from '../settings.js';

/** What the buttons do. */
export interface ControlActions {
  /** Start, or go on after a pause. */
  start(settings: Settings): void;
  pause(): void;
  reset(): void;
}

/** `unavailable`: without WebGPU nothing can be started. */
export type RunState = 'preparing' | 'idle' | 'running' | 'paused' | 'unavailable';

/** The form: settings and buttons. What the device cannot hold is disabled, and the note says why. */
export class Controls {
  private readonly form = element('controls', HTMLFormElement);
  private readonly selects = {
    width: element('width', HTMLSelectElement),
    count: element('count-wanted', HTMLSelectElement),
    steps: element('steps-wanted', HTMLSelectElement),
    every: element('every', HTMLSelectElement),
  };
  private readonly seed = element('seed', HTMLInputElement);
  private readonly startButton = element('start', HTMLButtonElement);
  private readonly pauseButton = element('pause', HTMLButtonElement);
  private readonly resetButton = element('reset', HTMLButtonElement);
  private limits: SplatLimits | undefined;

  constructor(actions: ControlActions) {
    const { width, count, steps, every } = this.selects;
    const numbers = (values: readonly number[]): HTMLOptionElement[] =>
      values.map((value) => new Option(value.toLocaleString('en'), String(value)));
    width.replaceChildren(...widths.map((w) => new Option(`${w} × ${heightAt(w)}`, String(w))));
    count.replaceChildren(...numbers(counts));
    steps.replaceChildren(...numbers(stepCounts));
    every.replaceChildren(
      ...intervals.map((each) => new Option(`${each.toLocaleString('en')} steps`, String(each))),
    );
    this.seed.value = '1';
    this.form.addEventListener('change', () => this.showSizes());
    this.form.addEventListener('submit', (event) => {
      event.preventDefault();
      actions.start(this.settings);
    });
    this.pauseButton.addEventListener('click', () => actions.pause());
    this.resetButton.addEventListener('click', () => actions.reset());
  }

  /**
   * Begins with a size, and with what the page's address says instead, e.g. `?count=5000&seed=3`.
   *
   * @throws Error if the address asks for what there is not, or the device cannot hold.
   */
  begin(size: SizeSettings, limits: SplatLimits, query: URLSearchParams): void {
    this.limits = limits;
    for (const key of ['width', 'count', 'steps', 'every'] as const) {
      this.selects[key].value = String(size[key]);
    }
    // The count last: what there is of it depends on the others.
    for (const key of ['width', 'steps', 'every', 'count'] as const) {
      this.showSizes();
      choose(key, this.selects[key], query.get(key));
    }
    const seed = query.get('seed');
    if (seed !== null) {
      this.seed.value = seed;
      if (!this.seed.checkValidity()) throw new Error(`?seed=${seed}: ${this.seed.validationMessage}`);
    }
    this.showSizes();
  }

  /** Offers what makes sense in this state. */
  setState(state: RunState): void {
    for (const field of [...Object.values(this.selects), this.seed]) field.disabled = state !== 'idle';
    const focused = document.activeElement;
    this.startButton.disabled = state !== 'idle' && state !== 'paused';
    this.startButton.textContent = state === 'paused' ? 'Continue' : 'Start';
    this.pauseButton.disabled = state !== 'running';
    this.resetButton.disabled = state !== 'running' && state !== 'paused';
    // A button that is disabled loses the focus, and the keyboard its place.
    if (focused instanceof HTMLButtonElement && focused.disabled) {
      [this.pauseButton, this.startButton, this.resetButton].find((button) => !button.disabled)?.focus();
    }
  }

  /** Starts, as the button does. */
  submit(): void {
    this.form.requestSubmit();
  }

  /** As a query of this page's address, to be shared. */
  get query(): URLSearchParams {
    return new URLSearchParams(Object.entries(this.settings).map(([key, value]) => [key, String(value)]));
  }

  private get settings(): Settings {
    return { ...this.size(Number(this.selects.count.value)), seed: this.seed.valueAsNumber };
  }

  private size(count: number): SizeSettings {
    const { width, steps, every } = this.selects;
    return {
      width: Number(width.value),
      count,
      steps: Number(steps.value),
      every: Number(every.value),
    };
  }

  private showSizes(): void {
    if (this.limits === undefined) return;
    let why: string | undefined;
    for (const option of this.selects.count.options) {
      const reason = reasonAgainst(planFor(this.size(Number(option.value))), this.limits);
      option.disabled = reason !== undefined;
      if (reason !== undefined) why ??= `${option.text} are too many: ${reason}.`;
    }
    const { startCount, densifications, shape } = planFor(this.size(Number(this.selects.count.value)));
    const growth =
      densifications.length === 0
        ? `${startCount.toLocaleString('en')} Gaussians from the start; nothing is densified in so few steps.`
        : `From ${startCount.toLocaleString('en')} to ${shape.count.toLocaleString('en')} Gaussians in ` +
          `${densifications.length} densifications.`;
    setText('size-note', [growth, why].filter(Boolean).join(' '));
  }
}

function choose(key: string, select: HTMLSelectElement, given: string | null): void {
  if (given === null) return;
  const usable = [...select.options].filter(({ disabled }) => !disabled).map(({ value }) => value);
  if (!usable.includes(given)) {
    throw new Error(`?${key}=${given} is not to be had here; give one of ${usable.join(', ')}.`);
  }
  select.value = given;
}
