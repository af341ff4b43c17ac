import type { onnx } from 'onnx-proto';
import type { Graph } from './graph.js';
import { FLOAT, type Operator, placeOf } from './operators/operator.js';
import { operatorOf, trainable } from './operators/registry.js';
import { readsOf } from './reads.js';
import { DataType } from './tensor.js';

/** Types that carry gradients, though only those of float32 can be computed. */
const FLOATING: ReadonlySet<number> = new Set([FLOAT, DataType.FLOAT16, DataType.DOUBLE, DataType.BFLOAT16]);

/** What {@link appendGradients} starts from and goes for. */
export interface GradientRequest {
  /** The value whose gradient is known. */
  readonly from: string;
  /** The name of that gradient. */
  readonly seed: string;
  /** Inputs or initializers of the graph, each with the name that its gradient shall have. */
  readonly to: ReadonlyMap<string, string>;
}

/**
 * Appends the backward pass to a graph: reverse-mode differentiation, node by node, each through its rule in operators/.
 * Only gradients on a path to what is asked for are computed, so those of the data are not, and whatever else a model is made of
 * need not be known.
 *
 * @throws Error if a value that is asked for has no influence on `from`, or lies behind operators without a rule: all of them are
 *   named.
 */
export function appendGradients(graph: Graph, { from, seed, to }: GradientRequest): void {
  const forward = [...graph.nodes];
  const needed = influencedBy(graph, forward, to.keys());
  const path = pathTo(from, forward, needed);
  rejectUnknown(path);
  rejectOtherTypes(graph, path, needed);

  // A value that is used several times has one term for each use.
  const terms = new Map<string, string[]>([[from, [seed]]]);
  for (const node of forward.toReversed()) {
    const gradients = node.output!.map((name) =>
      needed.has(name) ? sum(graph, terms.get(name)) : undefined,
    );
    if (gradients.every((gradient) => gradient === undefined)) continue;
    const isNeeded = (k: number): boolean => needed.has(node.input![k]!);
    backwardOf(graph, node, gradients, isNeeded).forEach((term, k) => {
      if (term === undefined || !isNeeded(k)) return;
      const input = node.input![k]!;
      terms.set(input, [...(terms.get(input) ?? []), term]);
    });
  }
  const idle = [...to.keys()].filter((name) => !terms.has(name));
  if (idle.length > 0) rejectIdle(idle, from, to);
  for (const [name, output] of to) graph.add('Identity', [sum(graph, terms.get(name))!], {}, output);
}

function rejectIdle(idle: readonly string[], from: string, to: ReadonlyMap<string, string>): never {
  const listed = idle.map((name) => `"${name}"`).join(', ');
  const others = [...to.keys()].filter((name) => !idle.includes(name));
  throw new Error(
    `${listed} ${idle.length === 1 ? 'has' : 'have'} no influence on "${from}"; ` +
      (others.length > 0
        ? `leave ${idle.length === 1 ? 'it' : 'them'} out: --weights ${others.join(',')}`
        : 'name another output with --output'),
  );
}

/** Values that depend on some others, and those; whole numbers carry no gradient. */
function influencedBy(graph: Graph, nodes: readonly onnx.INodeProto[], names: Iterable<string>): Set<string> {
  const influenced = new Set(names);
  for (const node of nodes) {
    if (!readsOf(node).some((name) => influenced.has(name))) continue;
    // A result that is left out has no name.
    for (const name of node.output!) if (name && FLOATING.has(graph.elementType(name))) influenced.add(name);
  }
  return influenced;
}

/** Nodes between what is needed and a value. */
function pathTo(
  value: string,
  nodes: readonly onnx.INodeProto[],
  needed: ReadonlySet<string>,
): onnx.INodeProto[] {
  const reached = new Set([value]);
  return nodes
    .toReversed()
    .filter((node) => {
      const isOn = node.output!.some((name) => reached.has(name) && needed.has(name));
      if (isOn) for (const name of readsOf(node)) if (needed.has(name)) reached.add(name);
      return isOn;
    })
    .toReversed();
}

function rejectUnknown(path: readonly onnx.INodeProto[]): void {
  const unknown = path.filter((node) => !operatorOf(node)?.backward);
  if (unknown.length === 0) return;
  throw new Error(
    `Gradients are not known of ${unknown.map(placeOf).join(', ')}; they are of ${trainable.join(', ')}. ` +
      'Train weights behind these nodes alone, or add the rules: a few lines each in onnx/operators of webgpu-optim.',
  );
}

function rejectOtherTypes(graph: Graph, path: readonly onnx.INodeProto[], needed: ReadonlySet<string>): void {
  const other = path.filter(({ output }) =>
    output!.some((name) => needed.has(name) && graph.elementType(name) !== FLOAT),
  );
  if (other.length === 0) return;
  throw new Error(
    `Gradients are of float32, but other types of numbers come from ${other.map(placeOf).join(', ')}; ` +
      'export the model in float32.',
  );
}

function backwardOf(
  graph: Graph,
  node: onnx.INodeProto,
  gradients: readonly (string | undefined)[],
  isNeeded: (k: number) => boolean,
): readonly (string | undefined)[] {
  const { backward, isSplit } = operatorOf(node) as Required<Operator>;
  try {
    const beside = gradients.findIndex((gradient, k) => k > 0 && gradient !== undefined);
    if (beside > 0 && !isSplit)
      throw new Error(`the loss depends on its result "${node.output![beside]}", which has no gradient.`);
    const terms = backward({ graph, node, gradient: gradients[0]!, gradients, isNeeded });
    const silent = node.input!.find((_, k) => isNeeded(k) && terms[k] === undefined);
    if (silent !== undefined)
      throw new Error(`the loss depends on its input "${silent}", which has no gradient; leave it as it is.`);
    return terms;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`${placeOf(node)}: ${reason}`, { cause: error });
  }
}

function sum(graph: Graph, terms: readonly string[] = []): string | undefined {
  if (terms.length === 0) return undefined;
  return terms.reduce((left, right) => graph.add('Add', [left, right]));
}
