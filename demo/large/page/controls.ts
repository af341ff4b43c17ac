import type { RuleName } from '../../../src/index.js';
import { element, setText } from '../../site/elements.js';
import {
  type ModelLimits,
  type ModelPlan,
  bytesOf,
  megabytes,
  millions,
  reasonAgainst,
} from '../model/plan.js';
import { type ModelDtypes, stateDtypes, tableDtypes } from '../model/dtypes.js';
import { heightAt } from '../../shared/photo.js';
import {
  type Settings,
  type SizeSettings,
  batches,
  defaultRate,
  networks,
  planFor,
  ruleFor,
  ruleNames,
  tableExponents,
  widths,
} from '../settings.js';
import { explainGradients } from './size-note.js';

/** What the buttons do. */
export interface ControlActions {
  /** Start, or go on after a pause. */
  start(settings: Settings): void;
  pause(): void;
  reset(): void;
  /** The learning rate of a run that is under way. */
  rate(lr: number): void;
}

/** `unavailable`: without WebGPU nothing can be started. */
export type RunState = 'preparing' | 'idle' | 'running' | 'paused' | 'unavailable';

const gradientNames = { auto: 'automatic', dense: 'all dense', sparse: 'all sparse' } as const;

/** The form: settings and buttons. What the device cannot hold is disabled, and the note says why. */
export class Controls {
  private readonly form = element('controls', HTMLFormElement);
  private readonly selects = {
    width: element('width', HTMLSelectElement),
    table: element('table', HTMLSelectElement),
    network: element('network', HTMLSelectElement),
    batch: element('batch', HTMLSelectElement),
    rule: element('rule', HTMLSelectElement),
    gradients: element('gradients', HTMLSelectElement),
    weights: element('weights', HTMLSelectElement),
    state: element('state', HTMLSelectElement),
  };
  private readonly lr = element('lr', HTMLInputElement);
  private readonly seed = element('seed', HTMLInputElement);
  private readonly startButton = element('start', HTMLButtonElement);
  private readonly pauseButton = element('pause', HTMLButtonElement);
  private readonly resetButton = element('reset', HTMLButtonElement);
  private limits: ModelLimits | undefined;

  constructor(actions: ControlActions) {
    const { width, network, batch, rule, gradients, weights, state } = this.selects;
    width.replaceChildren(...widths.map((w) => new Option(`${w} × ${heightAt(w)}`, String(w))));
    network.replaceChildren(...Object.entries(networks).map(([key, { name }]) => new Option(name, key)));
    batch.replaceChildren(...batches.map((b) => new Option(b.toLocaleString('en'), String(b))));
    rule.replaceChildren(...ruleNames.map((name) => new Option(name)));
    gradients.replaceChildren(...Object.entries(gradientNames).map(([key, name]) => new Option(name, key)));
    weights.replaceChildren(...tableDtypes.map((name) => new Option(name)));
    state.replaceChildren(...stateDtypes.map((name) => new Option(name)));
    rule.value = 'adam';
    this.seed.value = '1';
    this.showDefaultRate();
    rule.addEventListener('change', () => this.showDefaultRate());
    this.lr.addEventListener('input', () => this.checkRate());
    this.lr.addEventListener('change', () => this.lr.validity.valid && actions.rate(Number(this.lr.value)));
    this.form.addEventListener('change', () => this.showSizes());
    this.form.addEventListener('submit', (event) => {
      event.preventDefault();
      actions.start(this.settings);
    });
    this.pauseButton.addEventListener('click', () => actions.pause());
    this.resetButton.addEventListener('click', () => actions.reset());
  }

  /**
   * Begins with a size, and with what the page's address says instead, e.g. `?rule=lion&table=14`.
   *
   * @throws Error if the address asks for what there is not, or the device cannot hold.
   */
  begin(size: SizeSettings, limits: ModelLimits, query: URLSearchParams): void {
    this.limits = limits;
    const { width, network, batch, gradients } = this.selects;
    [width.value, network.value] = [String(size.width), size.network];
    [batch.value, gradients.value] = [String(size.batch), size.gradients];
    this.listTables(String(size.table));
    // The tables last: what there is of them depends on the others.
    const { table, ...others } = this.selects;
    for (const [key, select] of Object.entries(others)) choose(key, select, query.get(key));
    this.showDefaultRate();
    this.listTables(table.value);
    choose('table', table, query.get('table'));
    for (const [key, input] of [['lr', this.lr] as const, ['seed', this.seed] as const]) {
      const given = query.get(key);
      if (given === null) continue;
      input.value = given;
      this.checkRate();
      if (!input.checkValidity()) throw new Error(`?${key}=${given}: ${input.validationMessage}`);
    }
    this.showSizes();
  }

  /** Offers what makes sense in this state. Settings are those of the run until it is reset, but for the rate. */
  setState(state: RunState): void {
    const isSettled = state !== 'idle';
    for (const field of [...Object.values(this.selects), this.seed]) field.disabled = isSettled;
    this.lr.disabled = state === 'unavailable' || state === 'preparing';
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

  /** As a query of this page's address, to be shared. */
  get query(): URLSearchParams {
    return new URLSearchParams(Object.entries(this.settings).map(([key, value]) => [key, String(value)]));
  }

  private get settings(): Settings {
    const { table, rule } = this.selects;
    return {
      ...this.size(Number(table.value)),
      rule: rule.value as RuleName,
      ...this.dtypes,
      lr: Number(this.lr.value),
      seed: this.seed.valueAsNumber,
    };
  }

  private get dtypes(): ModelDtypes {
    const { weights, state } = this.selects;
    return {
      weights: weights.value as ModelDtypes['weights'],
      state: state.value as ModelDtypes['state'],
    };
  }

  private size(table: number): SizeSettings {
    const { width, batch, network, gradients } = this.selects;
    return {
      width: Number(width.value),
      table,
      batch: Number(batch.value),
      network: network.value as SizeSettings['network'],
      gradients: gradients.value as SizeSettings['gradients'],
    };
  }

  private showSizes(): void {
    if (this.limits === undefined) return;
    const reason = this.listTables(this.selects.table.value);
    const plan = planFor(this.size(Number(this.selects.table.value)));
    const { parameters, gradients, state } = bytesOf(
      plan,
      ruleFor(this.selects.rule.value as RuleName, 1),
      this.dtypes,
    );
    const size =
      `${plan.parameterCount.toLocaleString('en')} parameters: ${megabytes(parameters)} of weights, ` +
      `${megabytes(gradients)} of gradients, ${megabytes(state)} of state.`;
    setText('size-note', [size, explainGradients(plan), reason].filter(Boolean).join(' '));
  }

  /**
   * Offers the tables for the other settings, up to the first in which every vertex has an entry of its own.
   *
   * @returns why the largest are disabled, if they are.
   */
  private listTables(wanted: string): string | undefined {
    const { table } = this.selects;
    const options: HTMLOptionElement[] = [];
    let disabledFor: string | undefined;
    for (const exponent of tableExponents) {
      const plan = planFor(this.size(exponent));
      const option = new Option(nameOf(exponent, plan), String(exponent));
      const reason = this.limits && reasonAgainst(plan, this.limits);
      if (reason !== undefined) {
        option.disabled = true;
        disabledFor ??= `${powerOfTwo(exponent)} entries per level are too many: ${reason}.`;
      }
      options.push(option);
      if (plan.levels.every(({ isHashed }) => !isHashed)) break;
    }
    table.replaceChildren(...options);
    const usable = options.filter(({ disabled }) => !disabled);
    table.value = (usable.find(({ value }) => value === wanted) ?? usable.at(-1))?.value ?? '';
    return disabledFor;
  }

  private showDefaultRate(): void {
    this.lr.value = String(defaultRate(this.selects.rule.value as RuleName));
    this.checkRate();
  }

  /** A text field, because a number field with a fixed step refuses rates like 3e-4. */
  private checkRate(): void {
    const rate = Number(this.lr.value);
    const valid = this.lr.value.trim() !== '' && Number.isFinite(rate) && rate > 0;
    this.lr.setCustomValidity(valid ? '' : 'Give a number above 0, for example 0.01.');
  }
}

function powerOfTwo(exponent: number): string {
  return `2${String(exponent).replaceAll(/\d/gu, (digit) => '⁰¹²³⁴⁵⁶⁷⁸⁹'[Number(digit)]!)}`;
}

function nameOf(exponent: number, { parameterCount }: ModelPlan): string {
  return `${powerOfTwo(exponent)} · ${millions(parameterCount)}`;
}

function choose(key: string, select: HTMLSelectElement, given: string | null): void {
  if (given === null) return;
  const usable = [...select.options].filter(({ disabled }) => !disabled).map(({ value }) => value);
  if (!usable.includes(given)) {
    throw new Error(`?${key}=${given} is not to be had here; give one of ${usable.join(', ')}.`);
  }
  select.value = given;
}
