import { OptimizerError, quote } from '../../errors.js';
import { type Rule, overrideRule, structureOf } from '../../rules/rule.js';
import type { NamedGroups } from '../shared/named-groups.js';
import { registeredVariables } from './backend.js';
import { ExportedTensors } from './exported-tensors.js';
import { type SavedState, STEP } from './saved-state.js';

/** What one of tfjs's own optimizers saves, and which rules keep the same. */
interface Counterpart {
  readonly name: string;
  readonly rules: readonly string[];
  /** Its slots, in the order in which it saves them, by its names; ours of the same values. */
  readonly slots: Readonly<Record<string, string>>;
  /** Whether its velocity, the slot `momentum`, has the learning rate in it. If so, ours has the other sign. */
  readonly lrInVelocity?: boolean;
  /** Whether its step depends on its one count of steps for all variables. */
  readonly counts?: boolean;
}

/** TensorFlow.js 4.22.0, tfjs-core/src/optimizers. `tf.train.sgd` has no state, and `tf.train.adamax` cannot be saved. */
const COUNTERPARTS: readonly Counterpart[] = [
  { name: 'adam', rules: ['adam', 'adamw'], slots: { m: 'exp_avg', v: 'exp_avg_sq' }, counts: true },
  { name: 'adagrad', rules: ['adagrad'], slots: { accumulator: 'sum' } },
  {
    name: 'rmsprop',
    rules: ['rmsprop'],
    slots: { rms: 'square_avg', momentum: 'momentum_buffer', mg: 'grad_avg' },
    lrInVelocity: true,
  },
  { name: 'momentum', rules: ['momentum'], slots: { momentum: 'momentum_buffer' }, lrInVelocity: false },
  { name: 'adadelta', rules: ['adadelta'], slots: { accum_grad: 'square_avg', accum_var: 'acc_delta' } },
];

type Slots = SavedState['slots'];

/**
 * A state that may be one of `tf.train`, as ours. Ours is returned as it is.
 *
 * @param groups may change what is kept of their variables.
 * @throws OptimizerError `invalid-state-dict` if it is of one of `tf.train` whose state the rule does not keep.
 */
export function fromTrain(saved: SavedState, rule: Rule, groups: NamedGroups): SavedState {
  const given = new Set(Array.from(saved.slots.values(), (slots) => Object.keys(slots)).flat());
  const own = new Set(rule.declaration.slots.map(({ name }) => name));
  const theirs = COUNTERPARTS.find(
    ({ slots }) => given.has(Object.keys(slots)[0]!) && [...given].every((name) => name in slots),
  );
  if (!theirs || [...given].every((name) => own.has(name))) return saved;
  const who = `setWeights(): these are weights of tf.train.${theirs.name}`;
  const used = slotsOfAllGroups(theirs, rule, groups, who);
  const missing = used.find(
    (slot) => !Object.entries(theirs.slots).some(([name, of]) => of === slot && given.has(name)),
  );
  if (missing !== undefined)
    fail(`${who}, which lack ${quote(missing)}; leave out the option that needs it.`);
  if (given.has('mg') && !used.includes('grad_avg')) {
    fail(`${who} in its centered form; give rmsprop({ centered: true, … }).`);
  }
  const slots: Slots = new Map(
    [...saved.slots].map(([variable, values]) => [
      variable,
      Object.fromEntries(
        Object.entries(values).flatMap(([name, each]) => {
          const slot = theirs.slots[name]!;
          // Where momentum is 0, its velocity is the last step, which nobody reads.
          return used.includes(slot) ? [[slot, converted(each, slot, theirs)]] : [];
        }),
      ),
    ]),
  );
  return { ...saved, slots };
}

/**
 * The state as the rule's counterpart in `tf.train` saves its own: first the count, then slot by slot.
 *
 * @throws OptimizerError `invalid-config` if it has none, or none with such a state.
 */
export function toTrain(saved: SavedState, rule: Rule, groups: NamedGroups): ExportedTensors {
  const exported = new ExportedTensors();
  const who = 'getTrainWeights()';
  const theirs = COUNTERPARTS.find(({ rules }) => rules.includes(rule.name));
  if (!theirs && rule.name !== 'sgd') {
    const all = COUNTERPARTS.flatMap(({ rules }) => rules);
    refuse(
      `${who}: tf.train has nothing with the state of ${quote(rule.name)}; it has of sgd, ${all.join(', ')}.`,
    );
  }
  const used = theirs
    ? slotsOfAllGroups(theirs, rule, groups, `${who}: this is for tf.train.${theirs.name}`)
    : [];
  const known = Object.values(theirs?.slots ?? {});
  const kept = new Set([...used, ...Array.from(saved.slots.values(), (slots) => Object.keys(slots)).flat()]);
  const lost = [...kept].find((slot) => !known.includes(slot));
  if (lost !== undefined)
    refuse(`${who}: tf.train.${theirs?.name ?? 'sgd'} has no place for ${quote(lost)}.`);
  if (theirs?.counts && saved.steps.size > 0) {
    const counts = [...new Set(saved.steps.values())].join(', ');
    refuse(
      `${who}: variables have made ${counts} steps, and tf.train.${theirs.name} corrects its averages by one count for all.`,
    );
  }
  const shapes = new Map(Array.from(saved.slots, ([name, slots]) => [name, shapeOf(name, slots)]));
  exported.add(STEP, saved.step, 'int32');
  for (const [name, slot] of Object.entries(theirs?.slots ?? {})) {
    // It saves what its centered form needs only then, and a velocity always.
    if (name === 'mg' && !used.includes(slot)) continue;
    for (const [variable, values] of saved.slots) {
      const each = values[slot]
        ? converted(values[slot], slot, theirs!)
        : new Float32Array(Object.values(values)[0]!.length);
      exported.add(`${variable}/${name}`, each, 'float32', shapes.get(variable));
    }
  }
  return exported;
}

/** The shape of a variable, whose state is saved without; that of tf.train must have it. */
function shapeOf(name: string, slots: Readonly<Record<string, Float32Array>>): number[] {
  const variables = registeredVariables();
  const variable = Object.hasOwn(variables, name) ? variables[name] : undefined;
  if (!variable || Object.values(slots).some(({ length }) => length !== variable.size)) {
    refuse(`getTrainWeights(): there is no variable ${quote(name)} of this state yet; make a step first.`);
  }
  return variable.shape;
}

/** The slots that a rule keeps in all groups. @throws OptimizerError unless they mean what they mean in tfjs. */
function slotsOfAllGroups(
  theirs: Counterpart,
  rule: Rule,
  groups: NamedGroups,
  who: string,
): readonly string[] {
  if (!theirs.rules.includes(rule.name)) {
    fail(`${who}, and the rule is ${quote(rule.name)}; give ${theirs.rules.join(' or ')}.`);
  }
  const [used, ...others] = [rule, ...groups.list.map(({ overrides }) => overrideRule(rule, overrides))].map(
    (one) => {
      const { slots } = one.declaration;
      const names = slots.filter(({ usedBy }) => usedBy?.(structureOf(one)) ?? true).map(({ name }) => name);
      const lrInVelocity: unknown = Reflect.get(one.options, 'lrInVelocity');
      if (names.includes('momentum_buffer') && lrInVelocity !== theirs.lrInVelocity) {
        const [form, option] = theirs.lrInVelocity ? ['a', 'true'] : ['no', 'false'];
        fail(
          `${who}, whose velocity has ${form} learning rate in it; give ${rule.name}({ lrInVelocity: ${option}, … }), as ` +
            `conventions.tfjs.${theirs.name} does.`,
        );
      }
      return names;
    },
  );
  if (others.some((names) => names.join() !== used!.join())) {
    fail(`${who}, and groups keep other state than ${quote(used)}; give all the same.`);
  }
  return used!;
}

function converted(
  values: Float32Array,
  slot: string,
  { lrInVelocity }: Counterpart,
): Float32Array<ArrayBuffer> {
  const sign = slot === 'momentum_buffer' && lrInVelocity ? -1 : 1;
  return Float32Array.from(values, (value) => sign * value);
}

function fail(message: string): never {
  throw new OptimizerError('invalid-state-dict', message);
}

function refuse(message: string): never {
  throw new OptimizerError('invalid-config', message);
}
