import { OptimizerError, quote, rejectUnknownKeys } from '../errors.js';
import type { ResolvedGroup } from './config.js';
import { type ResolvedParameter, rejectConflicts, resolveParameter } from './parameter.js';
import { canShare } from './plan/batches.js';
import type { PlannedDispatch } from './plan/planned.js';
import type { BufferRange, Span } from './span.js';

/** Other buffers for a parameter, of the same length; what is not given stays. */
export interface BufferChange {
  /** The weights, as in a parameter. The optimizer state goes on with them. */
  data?: BufferRange | readonly BufferRange[];
  /** The gradients, as in a parameter. */
  grad?: BufferRange | readonly BufferRange[];
}

const CHANGE_KEYS = ['data', 'grad'] satisfies (keyof BufferChange)[];

/**
 * The groups with some parameters in other buffers, checked as at creation.
 *
 * @returns undefined if nothing changes.
 * @throws OptimizerError `invalid-parameter` naming the parameter; nothing has changed then.
 */
export function replaceBuffers(
  groups: readonly ResolvedGroup[],
  changes: Readonly<Record<string, BufferChange>>,
): ResolvedGroup[] | undefined {
  if (typeof changes !== 'object' || changes === null) {
    fail(`rebind(): ${quote(changes)} is no record of changes; give { name: { data, grad } }.`);
  }
  const left = new Set(Object.keys(changes));
  let isChanged = false;
  const replaced = groups.map((group) => ({
    ...group,
    parameters: group.parameters.map((parameter) => {
      const change = changes[parameter.name];
      if (change === undefined || !left.delete(parameter.name)) return parameter;
      const changed = replaceRanges(parameter, change);
      isChanged ||= changed !== parameter;
      return changed;
    }),
  }));
  for (const name of left)
    fail(`rebind(): there is no parameter ${quote(name)}; give names of this optimizer's.`);
  if (!isChanged) return undefined;
  rejectConflicts(replaced.flatMap(({ parameters }) => parameters));
  return replaced;
}

function replaceRanges(parameter: ResolvedParameter, change: BufferChange): ResolvedParameter {
  const { name, elementCount: length } = parameter;
  const what = `parameter ${quote(name)}`;
  if (typeof change !== 'object') fail(`${what}: ${quote(change)} is no change; give { data, grad }.`);
  rejectUnknownKeys(change, CHANGE_KEYS, what, 'invalid-parameter');
  if (parameter.microGrad) {
    fail(`${what} has a microGrad, which is added to its present gradients; it cannot be rebound.`);
  }
  if (parameter.sparse) fail(`${what} has sparse gradients; it cannot be rebound.`);
  const { data = rangesOf(parameter.data), grad = rangesOf(parameter.grad) } = change;
  const resolved = resolveParameter({ name, length, data, grad }, 0);
  const isSame = areSame(resolved.data, parameter.data) && areSame(resolved.grad, parameter.grad);
  return isSame ? parameter : resolved;
}

const rangesOf = (spans: readonly Span[]): GPUBufferBinding[] =>
  spans.map(({ buffer, byteOffset, byteLength }) => ({ buffer, offset: byteOffset, size: byteLength }));

function areSame(a: readonly Span[], b: readonly Span[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ buffer, byteOffset, byteLength }, k) => {
      const other = b[k]!;
      return buffer === other.buffer && byteOffset === other.byteOffset && byteLength === other.byteLength;
    })
  );
}

/** @throws OptimizerError `invalid-parameter` unless dispatches differ in buffers and aligned offsets only. */
export function rejectOtherStructure(
  { parameters }: ResolvedGroup,
  before: readonly PlannedDispatch<GPUBuffer>[],
  after: readonly PlannedDispatch<GPUBuffer>[],
): void {
  const structureOf = (dispatch: PlannedDispatch<GPUBuffer> | undefined): string => {
    if (!dispatch) return '';
    const { parameterIndex, access, segment, state } = dispatch;
    return JSON.stringify([parameterIndex, access, segment, state]);
  };
  const count = Math.max(before.length, after.length);
  for (let k = 0; k < count; k++) {
    if (structureOf(before[k]) === structureOf(after[k])) continue;
    const { name } = parameters[(after[k] ?? before[k])!.parameterIndex]!;
    fail(
      `rebind(): parameter ${quote(name)} would lie so differently that other kernels are needed; give ranges with the ` +
        'same offsets modulo 256 bytes, cut at the same places, or create a new optimizer from a state dict.',
    );
  }
}

/** @throws OptimizerError `invalid-parameter` unless one dispatch can bind all of these, as it did before. */
export function rejectUnshareable(
  { parameters }: ResolvedGroup,
  together: readonly PlannedDispatch<GPUBuffer>[],
): void {
  together.forEach((dispatch, k) => {
    const other = together.slice(0, k).find((earlier) => !canShare(earlier, dispatch));
    if (!other) return;
    const [one, two] = [other, dispatch].map(({ parameterIndex }) => quote(parameters[parameterIndex]!.name));
    fail(
      `rebind(): parameters ${one} and ${two} are stepped by one dispatch, and what one writes would lie in a buffer of the ` +
        "other's; give buffers of their own, or create a new optimizer from a state dict.",
    );
  });
}

function fail(message: string): never {
  throw new OptimizerError('invalid-parameter', message);
}
