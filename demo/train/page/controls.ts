import { element } from '../../site/elements.js';
import { defaultLearningRate, type OptimizerChoice, titleOf } from '../optimizer-choice.js';
import { peerNames } from '../peers.js';
import { trainingDefaults } from '../presets.js';
import { trainedRules } from '../trained-rules.js';
import { pageTasks, type TaskName } from './page-tasks.js';
import { SIDES, type Side } from './sides.js';

/** What the visitor asked for. */
export interface Settings {
  readonly task: TaskName;
  /** Left, right. */
  readonly choices: readonly OptimizerChoice[];
  readonly steps: number;
  readonly seed: number;
}

/** What the form does. */
export interface ControlActions {
  /** Another task was chosen. */
  choose(task: TaskName): void;
  /** Start, or go on after a pause. */
  start(settings: Settings): void;
  pause(): void;
  reset(): void;
}

/** `loading`: nothing can be started yet; `unavailable`: nor ever, for want of WebGPU. */
export type RunState = 'loading' | 'idle' | 'preparing' | 'running' | 'paused' | 'finished' | 'unavailable';

const PEER_PREFIX = 'tfjs:';
/** In the address, beside `start`; each is the id of its field. */
const FIELDS = ['task', 'left', 'leftLr', 'right', 'rightLr', 'steps', 'seed', 'size', 'temperature'];
/** May be changed during a run. */
const LIVE_FIELD = 'temperature';

/** The form: settings and buttons. The address fills it, and gets its settings at the start of a run. */
export class Controls {
  private readonly form = element('controls', HTMLFormElement);
  private readonly taskSelect = element('task', HTMLSelectElement);
  private readonly startButton = element('start', HTMLButtonElement);
  private readonly pauseButton = element('pause', HTMLButtonElement);
  private readonly resetButton = element('reset', HTMLButtonElement);

  constructor(actions: ControlActions) {
    this.fillFrom(new URLSearchParams(location.search));
    this.taskSelect.addEventListener('change', () => {
      this.showTaskDefaults();
      actions.choose(this.task);
    });
    for (const side of SIDES) {
      optimizerSelect(side).addEventListener('change', () => this.showDefaultRate(side));
      rateInput(side).addEventListener('input', () => checkRate(rateInput(side)));
    }
    this.form.addEventListener('submit', (event) => {
      event.preventDefault();
      history.replaceState(null, '', `?${this.query}`);
      actions.start(this.settings);
    });
    this.pauseButton.addEventListener('click', () => actions.pause());
    this.resetButton.addEventListener('click', () => actions.reset());
  }

  get task(): TaskName {
    return this.taskSelect.value as TaskName;
  }

  /** The optimizers chosen now, left and right. */
  get choices(): readonly OptimizerChoice[] {
    return SIDES.map((side) => choiceOf(side));
  }

  /** Starts at once if the address says so. */
  startIfAsked(): void {
    if (new URLSearchParams(location.search).has('start')) this.form.requestSubmit();
  }

  /** Offers what makes sense in this state. Settings are those of the run until it is reset. */
  setState(state: RunState): void {
    const focused = document.activeElement;
    this.form.dataset['state'] = state;
    for (const id of FIELDS) {
      if (id !== LIVE_FIELD) field(id).disabled = state !== 'idle';
    }
    this.startButton.disabled = state !== 'idle' && state !== 'paused';
    this.startButton.textContent = state === 'paused' ? 'Continue' : 'Start';
    this.pauseButton.disabled = state !== 'running';
    this.resetButton.disabled = ['loading', 'idle', 'unavailable'].includes(state);
    // A button that is disabled loses the focus, and the keyboard its place.
    if (focused instanceof HTMLButtonElement && focused.disabled) {
      [this.pauseButton, this.startButton, this.resetButton].find((button) => !button.disabled)?.focus();
    }
  }

  private get settings(): Settings {
    return {
      task: this.task,
      choices: this.choices,
      steps: element('steps', HTMLInputElement).valueAsNumber,
      seed: element('seed', HTMLInputElement).valueAsNumber,
    };
  }

  /** What makes this run again elsewhere. */
  private get query(): string {
    const isShown = (id: string): boolean => field(id).closest('[hidden]') === null;
    return String(new URLSearchParams(FIELDS.filter(isShown).map((id) => [id, field(id).value])));
  }

  private fillFrom(wanted: URLSearchParams): void {
    this.taskSelect.append(...Object.entries(pageTasks).map(([name, { title }]) => new Option(title, name)));
    setIfPossible(this.taskSelect, wanted.get('task') ?? 'digits');
    for (const side of SIDES) {
      optimizerSelect(side).append(
        optionGroup('webgpu-optim', 'webgpu-optim', Object.keys(trainedRules), ''),
        optionGroup('TensorFlow.js', 'tfjs', peerNames, PEER_PREFIX),
      );
    }
    setIfPossible(optimizerSelect('left'), wanted.get('left') ?? trainingDefaults.rule);
    setIfPossible(optimizerSelect('right'), wanted.get('right') ?? 'sgd');
    element('seed', HTMLInputElement).value = String(trainingDefaults.seed);
    this.showTaskDefaults();
    for (const id of ['leftLr', 'rightLr', 'steps', 'seed', 'size', 'temperature']) {
      const value = wanted.get(id);
      if (value !== null) setIfPossible(field(id), value);
    }
    for (const side of SIDES) checkRate(rateInput(side));
  }

  private showTaskDefaults(): void {
    element('steps', HTMLInputElement).value = String(pageTasks[this.task].steps);
    for (const side of SIDES) this.showDefaultRate(side);
  }

  private showDefaultRate(side: Side): void {
    const { rule } = choiceOf(side);
    rateInput(side).value = String(defaultLearningRate(rule, pageTasks[this.task].learningRates));
    checkRate(rateInput(side));
  }
}

/** The optimizer that a side has chosen. */
function choiceOf(side: Side): OptimizerChoice {
  const { value } = optimizerSelect(side);
  const lr = Number(rateInput(side).value);
  return value.startsWith(PEER_PREFIX)
    ? { source: 'tfjs', rule: value.slice(PEER_PREFIX.length), lr }
    : { source: 'webgpu-optim', rule: value, lr };
}

function field(id: string): HTMLInputElement | HTMLSelectElement {
  const found = element(id, HTMLElement);
  if (found instanceof HTMLInputElement || found instanceof HTMLSelectElement) return found;
  throw new Error(`The element "${id}" is no field.`);
}

const optimizerSelect = (side: Side): HTMLSelectElement => element(side, HTMLSelectElement);
const rateInput = (side: Side): HTMLInputElement => element(`${side}Lr`, HTMLInputElement);

function optionGroup(
  label: string,
  source: OptimizerChoice['source'],
  names: readonly string[],
  prefix: string,
): HTMLOptGroupElement {
  const group = document.createElement('optgroup');
  group.label = label;
  group.append(...names.map((rule) => new Option(titleOf({ source, rule }), `${prefix}${rule}`)));
  return group;
}

/** An address with a name that a list does not have leaves the list as it is. */
function setIfPossible(target: HTMLInputElement | HTMLSelectElement, value: string): void {
  const isPossible =
    target instanceof HTMLInputElement || [...target.options].some((option) => option.value === value);
  if (isPossible) target.value = value;
}

/** A text field, because a number field with a fixed step refuses rates like 3e-4. */
function checkRate(input: HTMLInputElement): void {
  const rate = Number(input.value);
  const valid = input.value.trim() !== '' && Number.isFinite(rate) && rate > 0;
  input.setCustomValidity(valid ? '' : 'Give a number above 0, for example 0.001.');
}
