import { formatOption, parseOption } from '../racer-spec.js';
import type { OptionSpec } from '../../../src/rules/options/options.js';
import { make } from './elements.js';

/** A labelled field for one option of a rule, of the kind that its declaration calls for. */
export function optionField(
  name: string,
  spec: OptionSpec<unknown>,
  value: unknown,
  onChange: (value: unknown) => void,
): HTMLLabelElement {
  if (typeof spec.default === 'boolean') {
    const box = make('input', { type: 'checkbox', checked: value === true });
    box.addEventListener('change', () => onChange(box.checked));
    return make('label', { className: 'option switch' }, box, name);
  }
  const field = typeof spec.default === 'string' ? choiceField(spec, value) : numberField(name, spec, value);
  field.addEventListener('change', () => {
    const parsed = parseOption(spec, field.value);
    if (spec.accepts(parsed)) onChange(parsed);
  });
  return make('label', { className: 'option', title: spec.range }, name, field);
}

function choiceField(spec: OptionSpec<unknown>, value: unknown): HTMLSelectElement {
  const field = make('select');
  const names = [spec.default, ...spec.samples].map(formatOption);
  field.append(...names.map((each) => new Option(each)));
  field.value = formatOption(value);
  return field;
}

/** A text field, for numbers as 1e-8 and lists of them; says what is allowed when something else is typed. */
export function numberField(name: string, spec: OptionSpec<unknown>, value: unknown): HTMLInputElement {
  const field = make('input', {
    type: 'text',
    inputMode: 'decimal',
    autocomplete: 'off',
    value: formatOption(value),
  });
  field.addEventListener('input', () => {
    const isAllowed = spec.accepts(parseOption(spec, field.value));
    field.setCustomValidity(isAllowed ? '' : `${name}: give ${spec.range}.`);
  });
  field.addEventListener('change', () => field.reportValidity());
  return field;
}
