import { OptimizerError, isRecord, quote, rejectUnknownKeys } from '../../../errors.js';
import { misfitOf, rounded } from '../../../codecs/codec.js';
import { asFloats } from '../../../gpu/copies/as-floats.js';
import { copyGiven } from '../../../given.js';
import { MOST_STEPS } from '../../../kernel/row.js';
import { type LayoutSlot, type RuleLayout, isElementwise } from '../../../kernel/rule-layout.js';
import { type NameTable, findNames, isIterable } from '../../input/names.js';
import type { RunTensor } from '../../run/group-part.js';

/** What `resetState` resets; without any of it, all. */
export interface ResetOptions {
  /** Names of parameters. Default all. Any iterable of names. */
  names?: Iterable<string>;
  /** Slots of the state, `'step'` among them. Default all, and the count of steps, unless `rows` are given. */
  slots?: Iterable<string>;
  /** Numbers of rows, of parameters that all have a `rowLength`. Their count of steps stays. Default all rows. */
  rows?: Iterable<number>;
}

/** Elements of a tensor that lie behind one another. */
export interface ElementRange {
  readonly first: number;
  readonly elementCount: number;
}

/** What is to be reset of a tensor. */
export interface TensorReset {
  readonly tensor: RunTensor;
  readonly slots: readonly LayoutSlot[];
  /** Absent for all of it. */
  readonly ranges: readonly ElementRange[] | undefined;
}

/** Checked. */
export interface Reset {
  readonly tensors: readonly TensorReset[];
  /** Whether the tensors' counts of steps are reset. */
  readonly hasCount: boolean;
}

const RESET_KEYS = ['names', 'slots', 'rows'] satisfies (keyof ResetOptions)[];

/** The largest count that the GPU holds, with room for one more step. */
const MOST_WRITTEN = MOST_STEPS - 1;

/** A slot of a rule. @throws OptimizerError `invalid-parameter` listing those that there are. */
export function findSlot({ slots }: RuleLayout, slot: unknown): LayoutSlot {
  const found = slots.find(({ name }) => name === slot);
  if (found) return found;
  const has = slots.length > 0 ? `has ${slots.map(({ name }) => quote(name)).join(', ')}` : 'has none';
  return fail(`there is no state ${quote(slot)} here; the rule ${has}.`);
}

/** Values for a slot, as they are written. @throws OptimizerError `invalid-parameter` unless so many numbers. */
export function checkSlotValues(
  values: unknown,
  count: number,
  name: string,
  { name: slot, codec }: LayoutSlot,
): Float32Array<ArrayBuffer> {
  const what = `writeState(): ${slot} of parameter ${quote(name)}`;
  const floats = asFloats(values, count);
  if (!floats) {
    const given = isCounted(values) ? `has ${values.length} values` : `is ${quote(values)}`;
    return fail(
      `${what} ${given}; give ${count === 1 ? 'one number' : `${count} numbers`}, in a Float32Array or a list.`,
    );
  }
  const misfit = misfitOf(codec, floats);
  if (misfit !== undefined) fail(`${what}: ${misfit}.`);
  const wide = values as ArrayLike<number>;
  // What shares a scale with a NaN is one, too, and whoever writes a NaN means it.
  const kept = codec.isScaled ? floats : rounded(codec, floats);
  const k = kept.findIndex((value, i) => !Number.isFinite(value) && Number.isFinite(wide[i]));
  if (k >= 0) fail(`${what}: value ${k} is ${quote(wide[k])}; give a magnitude that ${codec.name} holds.`);
  return floats;
}

/** A count of steps. @throws OptimizerError `invalid-parameter` unless one integer that the GPU holds. */
export function checkStepValue(values: unknown, name: string): number {
  const [count] = isCounted(values) && values.length === 1 ? Array.from(values) : [];
  if (Number.isInteger(count) && count! >= 0 && count! <= MOST_WRITTEN) return count!;
  return fail(
    `writeState(): step of parameter ${quote(name)} is ${quote(isCounted(values) ? Array.from(values) : values)}; give a list ` +
      `of one integer from 0 to ${MOST_WRITTEN}, e.g. [100].`,
  );
}

/** Checks what is to be reset. @throws OptimizerError `invalid-config` or `invalid-parameter`. */
export function resolveReset(options: unknown, table: NameTable<RunTensor>): Reset {
  if (options !== undefined && !isRecord(options)) {
    throw new OptimizerError(
      'invalid-config',
      `resetState(): the options are ${quote(options)}; give { names, slots, rows }, or nothing for all.`,
    );
  }
  const given = copyGiven(options ?? {}, RESET_KEYS);
  rejectUnknownKeys(given, RESET_KEYS, 'resetState()', 'invalid-config');
  const { names, slots, rows } = given;
  const tensors =
    names === undefined ? [...table.values()] : [...findNames(names, table, 'resetState()', 'names')];
  const wanted = slots === undefined ? undefined : checkSlots(slots, tensors);
  const numbers = rows === undefined ? undefined : checkRows(rows);
  if (numbers && wanted) rejectWholeSlots(wanted, tensors);
  return {
    tensors: tensors.map((tensor) => ({
      tensor,
      slots: tensor.part.layout.slots.filter(
        (slot) => (wanted?.has(slot.name) ?? true) && (!numbers || isElementwise(slot)),
      ),
      ranges: numbers && rangesOf(numbers, tensor.parameter),
    })),
    hasCount: wanted?.has('step') ?? !numbers,
  };
}

function checkSlots(slots: unknown, tensors: readonly RunTensor[]): ReadonlySet<string> {
  if (!isIterable(slots)) badConfig(`slots is ${quote(slots)}; give a list of slots, e.g. ['exp_avg'].`);
  const wanted = new Set(slots);
  const layouts = [...new Set(tensors.map(({ part }) => part.layout))];
  for (const slot of wanted) {
    if (slot === 'step' || layouts.length === 0) continue;
    // Of groups whose options need other slots, each has its own.
    if (!layouts.some((layout) => layout.slots.some(({ name }) => name === slot)))
      findSlot(layouts[0]!, slot);
  }
  return wanted as ReadonlySet<string>;
}

/** The rows, in order, each once. */
function checkRows(rows: unknown): number[] {
  if (!isIterable(rows)) badConfig(`rows is ${quote(rows)}; give a list of row numbers, e.g. [0, 5].`);
  const numbers = [...new Set(rows)];
  for (const row of numbers) {
    if (!Number.isInteger(row) || (row as number) < 0) {
      badConfig(`rows has ${quote(row)}; give row numbers, integers ≥ 0.`);
    }
  }
  return (numbers as number[]).toSorted((a, b) => a - b);
}

/** Rows have no count, nor what a tensor has as a whole. */
function rejectWholeSlots(wanted: ReadonlySet<string>, tensors: readonly RunTensor[]): void {
  const others = tensors.flatMap(({ part }) => part.layout.slots.filter((slot) => !isElementwise(slot)));
  const whole = ['step', ...others.map(({ name }) => name)].find((slot) => wanted.has(slot));
  if (whole !== undefined) {
    badConfig(
      `${quote(whole)} is one number per parameter, or per row and column, not one per element; leave it or rows out.`,
    );
  }
}

/** The elements of rows; rows that are neighbours are one range. */
function rangesOf(
  rows: readonly number[],
  { name, elementCount, rowLength }: RunTensor['parameter'],
): ElementRange[] {
  if (rowLength === undefined) {
    return fail(
      `resetState(): parameter ${quote(name)} has no rowLength, so that it has no rows; name those that have, or leave rows out.`,
    );
  }
  const rowCount = elementCount / rowLength;
  const ranges: { first: number; elementCount: number }[] = [];
  for (const row of rows) {
    if (row >= rowCount) {
      fail(
        `resetState(): there is no row ${row} in parameter ${quote(name)}; its rows are 0 to ${rowCount - 1}.`,
      );
    }
    const first = row * rowLength;
    const last = ranges.at(-1);
    if (last && last.first + last.elementCount === first) last.elementCount += rowLength;
    else ranges.push({ first, elementCount: rowLength });
  }
  return ranges;
}

const isCounted = (values: unknown): values is ArrayLike<number> =>
  Array.isArray(values) || (ArrayBuffer.isView(values) && 'length' in values);

function fail(message: string): never {
  throw new OptimizerError('invalid-parameter', message);
}

function badConfig(message: string): never {
  throw new OptimizerError('invalid-config', `resetState(): ${message}`);
}
