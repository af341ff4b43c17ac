import type { onnx } from 'onnx-proto';
import type { Graph } from './graph.js';
import { FLOAT, type Operator, placeOf } from './operators/operator.js';
import { operatorOf, trainable } from './operators/registry.js';

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
  rejectUnknown(pathTo(from, forward, needed));

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
  for (const [name, output] of to) {
    const gradient = sum(graph, terms.get(name));
    if (gradient === undefined) throw new Error(`"${name}" has no influence on "${from}"; leave it out.`);
    graph.add('Identity', [gradient], {}, output);
  }
}

/** Values that depend on some others, and those; whole numbers carry no gradient. */
function influencedBy(graph: Graph, nodes: readonly onnx.INodeProto[], names: Iterable<string>): Set<string> {
  const influenced = new Set(names);
  for (const { input, output } of nodes) {
    if (!input!.some((name) => influenced.has(name))) continue;
    for (const name of output!) if (graph.elementType(name) === FLOAT) influenced.add(name);
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
    .filter(({ input, output }) => {
      const isOn = output!.some((name) => reached.has(name) && needed.has(name));
      if (isOn) for (const name of input!) if (needed.has(name)) reached.add(name);
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
    return backward({ graph, node, gradient: gradients[0]!, gradients, isNeeded });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`${placeOf(node)}: ${reason}`, { cause: error });
  }
}

function sum(graph: Graph, terms: readonly string[] = []): string | undefined {
  if (terms.length === 0) return undefined;
  return terms.reduce((left, right) => graph.add('Add', [left, right]));
}
