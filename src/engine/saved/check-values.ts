import { quote } from '../../errors.js';
import { tagOf } from '../../given.js';
import { layoutOf } from '../../kernel/rule-layout.js';
import type { Rule } from '../../rules/rule.js';
import { copyRecord, fail, sameKeys } from './check.js';
import type { StateDictTarget, StateValues } from './checked-state.js';

const BYTES_PER_VALUE = 4;

/**
 * Checks the state of all parameters.
 *
 * @throws OptimizerError `invalid-state-dict` naming the parameter and the slot.
 */
export function checkValues(state: unknown, { groups, elementCount }: StateDictTarget): StateValues {
  const given = copyRecord(state, 'state', '{ [param]: { [slot]: Float32Array } }');
  sameKeys(
    given,
    groups.flatMap(({ params }) => params),
    'state',
  );
  return new Map(
    groups.flatMap(({ rule, params }) =>
      params.map((name) => [name, checkSlots(given[name], name, rule, elementCount(name))] as const),
    ),
  );
}

function checkSlots(
  given: unknown,
  name: string,
  rule: Rule,
  elementCount: number,
): ReadonlyMap<string, Float32Array<ArrayBuffer>> {
  const what = `state of parameter ${quote(name)}`;
  const { slots } = layoutOf(rule);
  const ofSlot = copyRecord(given, what, '{ [slot]: Float32Array }');
  sameKeys(
    ofSlot,
    slots.map((slot) => slot.name),
    what,
  );
  return new Map(
    slots.map((slot) => {
      const valueCount = slot.perTensor ? 1 : elementCount;
      return [slot.name, asFloats(ofSlot[slot.name], valueCount, `${what}: ${slot.name}`)];
    }),
  );
}

/** Kinds of views that hold float32 values, or their bytes. */
const FLOAT_VIEWS = ['[object Float32Array]', '[object DataView]', '[object Uint8Array]'];

/** The values of a view, of whatever realm; the same array if it is one that can be written as it is. */
function asFloats(given: unknown, valueCount: number, what: string): Float32Array<ArrayBuffer> {
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
