import { Random } from '../../../proof/random.js';
import type { OptimizerErrorCode } from '../../../src/index.js';
import { parameterOf, rangesOf } from '../world/homes.js';
import { bindingOf } from '../world/memory.js';
import type { Subject } from '../world/subject.js';
import type { World } from '../world/world.js';

interface BadCall {
  readonly what: string;
  readonly code: OptimizerErrorCode;
  /** Another code, where the rule, or an average, has something against it. */
  readonly or?: OptimizerErrorCode;
  readonly needsTraining?: boolean;
  /** Whether it is bad for this one. */
  readonly isBadFor?: (subject: Subject) => boolean;
  readonly call: (subject: Subject, world: World) => void | Promise<unknown>;
}

const BAD_CALLS: readonly BadCall[] = [
  {
    what: 'step without a name',
    code: 'invalid-parameter',
    needsTraining: true,
    call: ({ optimizer }) => optimizer!.step({ skip: ['nobody'] }),
  },
  {
    what: 'encode with a string to skip',
    code: 'invalid-config',
    needsTraining: true,
    call: ({ optimizer }, { device }) => optimizer!.encode(device.createCommandEncoder(), { skip: 'w0' }),
  },
  {
    what: 'an unknown slot',
    code: 'invalid-parameter',
    call: ({ optimizer, twin }) => optimizer!.readState(twin.tensors[0]!.name, 'nothing'),
  },
  { what: 'no rate', code: 'invalid-option', call: ({ optimizer }) => void (optimizer!.lr = NaN) },
  { what: 'no scale', code: 'invalid-option', call: ({ optimizer }) => void (optimizer!.gradScale = 0) },
  {
    what: 'no dict',
    code: 'invalid-state-dict',
    needsTraining: true,
    call: ({ optimizer }) => void optimizer!.loadStateDictSync({} as never),
  },
  {
    what: 'a name that is taken',
    code: 'invalid-parameter',
    needsTraining: true,
    call: ({ optimizer, twin }) => {
      const { plan, home } = twin.tensors[0]!;
      const elsewhere = { ...home, room: { ...home.room, data: home.room.grad } };
      return optimizer!.addGroup({ params: [parameterOf(plan, elsewhere)] });
    },
  },
  {
    what: 'weights that are another tensor’s gradient',
    code: 'invalid-parameter',
    call: ({ optimizer, twin }) => {
      const { name, home } = twin.tensors[0]!;
      optimizer!.rebind({ [name]: { data: rangesOf(home.grad) } });
    },
  },
  ...(['sparse', 'masked'] as const).map((kind): BadCall => ({
    what: `a matrix, ${kind}`,
    code: 'invalid-parameter',
    or: 'invalid-config',
    needsTraining: true,
    isBadFor: ({ twin }) => twin.rule.declaration.matrix !== undefined,
    call: ({ optimizer }, world) => optimizer!.addGroup({ params: [matrixOf(world, kind)] }),
  })),
];

/** What no rule of matrices steps. */
function matrixOf({ memory }: World, kind: 'sparse' | 'masked') {
  const [data, grad, words] = memory
    .allocate([{ length: 4 }, { length: 4 }, { length: 2 }], new Random(0))
    .map((place) => bindingOf(place));
  return {
    name: 'a matrix',
    data: data!,
    shape: [2, 2],
    rowLength: 2,
    ...(kind === 'sparse' ? { grad: { indices: words!, values: grad! } } : { grad: grad!, rowMask: words! }),
  };
}

/** Makes a call that has to be refused, and change nothing. */
export function makeBad(world: World, subject: Subject, which: number): void {
  const known = BAD_CALLS.filter(({ isBadFor }) => isBadFor?.(subject) ?? true);
  const { what, code, or, needsTraining, call } = known[which % known.length]!;
  const refusal = (needsTraining ? subject.trainingRefusal : subject.refusal) ?? code;
  const expected = world.expected<never>(refusal, () => [or]);
  let promise: void | Promise<unknown> = undefined;
  const isAsync = () => promise instanceof Promise;
  world.verdicts.attempt(`bad: ${what}`, { ...expected, isRefused: false }, () => {
    promise = call(subject, world);
    if (isAsync()) world.verdicts.expect(`bad: ${what}`, promise as Promise<never>, expected);
    else world.verdicts.fail(`bad: ${what}: made, but to be refused with ${refusal}`);
  });
}
