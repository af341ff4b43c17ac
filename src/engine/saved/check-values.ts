import { AVERAGE_SLOTS } from '../../averages/registry.js';
import { MASTER_SLOTS } from '../../codecs/masters.js';
import { type Codec, misfitOf } from '../../codecs/codec.js';
import { quote } from '../../errors.js';
import { tagOf } from '../../given.js';
import { type LayoutSlot, layoutOf, slotLength } from '../../kernel/rule-layout.js';
import type { Rule } from '../../rules/rule.js';
import { copyRecord, fail, sameKeys } from './check.js';
import type { ParameterSize, StateDictTarget, StateValues } from './checked-state.js';
import type { LoadedNames } from './state-dict.js';

const BYTES_PER_VALUE = 4;

/** What is kept beside the rule's state: it may be missing where names alone count, or be more than is kept here. */
const OPTIONAL_SLOTS = [...AVERAGE_SLOTS, ...MASTER_SLOTS];

/**
 * Checks what a dict has for a slot.
 *
 * @param what it is, for errors.
 * @param codec how this optimizer keeps it.
 * @throws OptimizerError `invalid-state-dict` unless these are so many values.
 */
export type AcceptValues<V> = (given: unknown, valueCount: number, what: string, codec: Codec) => V;

/**
 * Checks the state of the parameters that a dict has.
 *
 * @param names what the dict's groups have, and which of it is here.
 * @param isStrict whether averages must be those that there are.
 * @param accept what of them is taken.
 * @throws OptimizerError `invalid-state-dict` naming the parameter and the slot.
 */
export function checkValues<V>(
  state: unknown,
  { groups, sizeOf }: StateDictTarget,
  { loaded, unexpected }: Pick<LoadedNames, 'loaded' | 'unexpected'>,
  isStrict: boolean,
  accept: AcceptValues<V>,
): StateValues<V> {
  const given = copyRecord(state, 'state', '{ [param]: { [slot]: Float32Array } }');
  sameKeys(given, [...loaded, ...unexpected], 'state');
  const isLoaded = new Set(loaded);
  return new Map(
    groups.flatMap(({ rule, params }) =>
      params
        .filter((name) => isLoaded.has(name))
        .map((name) => [name, checkSlots(given[name], name, rule, sizeOf(name), isStrict, accept)] as const),
    ),
  );
}

/** The slots to be loaded of those that a rule has, from the names of those that a dict has of a parameter. */
export function matchSlots(
  given: Readonly<Record<string, unknown>>,
  rule: Rule,
  what: string,
  isStrict: boolean,
): readonly LayoutSlot[] {
  const { slots } = layoutOf(rule);
  const isOptional = ({ name }: LayoutSlot): boolean => !isStrict && OPTIONAL_SLOTS.includes(name);
  const wanted = slots.filter((slot) => !isOptional(slot) || given[slot.name] !== undefined);
  const ignored = isStrict ? [] : OPTIONAL_SLOTS.filter((name) => given[name] !== undefined);
  sameKeys(given, [...new Set([...wanted.map(({ name }) => name), ...ignored])], what);
  return wanted;
}

function checkSlots<V>(
  given: unknown,
  name: string,
  rule: Rule,
  size: ParameterSize,
  isStrict: boolean,
  accept: AcceptValues<V>,
): ReadonlyMap<string, V> {
  const what = `state of parameter ${quote(name)}`;
  const ofSlot = copyRecord(given, what, '{ [slot]: Float32Array }');
  return new Map(
    matchSlots(ofSlot, rule, what, isStrict).map((slot) => {
      const valueCount = slotLength(slot, size);
      return [slot.name, accept(ofSlot[slot.name], valueCount, `${what}: ${slot.name}`, slot.codec)];
    }),
  );
}

/** Kinds of views that hold float32 values, or their bytes. */
const FLOAT_VIEWS = ['[object Float32Array]', '[object DataView]', '[object Uint8Array]'];

/** @throws OptimizerError `invalid-state-dict` if the codec does not take some of the values. */
export function rejectMisfits(codec: Codec, values: ArrayLike<number>, what: string): void {
  const misfit = misfitOf(codec, values);
  if (misfit !== undefined) fail(`${what}: ${misfit}.`);
}

/** As {@link viewAsFloats}, of values that can be kept. */
export function asFloats(
  given: unknown,
  valueCount: number,
  what: string,
  codec: Codec,
): Float32Array<ArrayBuffer> {
  const floats = viewAsFloats(given, valueCount, what);
  rejectMisfits(codec, floats, what);
  return floats;
}

/** The values of a view, of whatever realm; the same array if it is one that can be written as it is. */
function viewAsFloats(given: unknown, valueCount: number, what: string): Float32Array<ArrayBuffer> {
  // What the float64 reference saves is rounded.
  const view = tagOf(given) === '[object Float64Array]' ? Float32Array.from(given as Float64Array) : given;
  if (!ArrayBuffer.isView(view) || !FLOAT_VIEWS.includes(tagOf(view))) {
    return fail(`${what} is ${quote(view)}; give a Float32Array, or a view of its bytes.`);
  }
  const { buffer, byteOffset, byteLength } = view;
  if (byteLength !== BYTES_PER_VALUE * valueCount) {
    return fail(
      `${what} has ${byteLength / BYTES_PER_VALUE} elements but this optimizer keeps ${valueCount}; save it from a ` +
        'parameter of the same size.',
    );
  }
  // Writing takes no shared memory, and a view of floats no odd offset.
  if (tagOf(buffer) === '[object ArrayBuffer]' && byteOffset % BYTES_PER_VALUE === 0) {
    return new Float32Array(buffer as ArrayBuffer, byteOffset, valueCount);
  }
  const copy = new Float32Array(valueCount);
  new Uint8Array(copy.buffer).set(new Uint8Array(buffer, byteOffset, byteLength));
  return copy;
}
