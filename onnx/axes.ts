/** Sizes for the axes that a model leaves open, and another batch where it fixes one. */
import type { onnx } from 'onnx-proto';
import { Graph } from './graph.js';
import { placeOf } from './operators/operator.js';
import { readsOf } from './reads.js';
import { type Shape, axesOf, elementCount, integerTensor, showShape } from './tensor.js';
import { copyModel } from './weights.js';

/** Options of {@link settleAxes}. */
export interface AxisOptions {
  /**
   * Rows of a batch, an integer ≥ 1: the size of the first axis of the model's inputs, and of axes that share its name. Left out
   * where `axes` has the first axes of all of them, as of a model whose batch is another axis.
   */
  readonly batch?: number;
  /** Sizes of the other axes that the model's inputs leave open, by their names. */
  readonly axes?: Readonly<Record<string, number>>;
}

/** The same, without a choice. */
type Sizes = Required<AxisOptions>;
type Dimension = onnx.TensorShapeProto.IDimension;

/** The name of a batch axis that had none. */
const BATCH_NAME = 'batch';

/**
 * Gives every axis of a model's inputs a size.
 *
 * A first axis that is fixed at another size is opened, if all inputs have the same. That is right where every operator treats
 * each row by itself, as in a network in inference. Reshapes by constants that begin with the old size copy the axis instead;
 * others are refused where they would mix rows, and so is what makes one thing of all rows that rows depend on again.
 *
 * @returns `fixed`, where all sizes are known, and `open`, where the batch is not.
 * @throws Error if an axis has no size, a size has no axis or is given twice, or the batch cannot be changed.
 */
export function settleAxes(
  model: onnx.IModelProto,
  { batch: rows, axes = {} }: AxisOptions,
): { fixed: onnx.IModelProto; open: onnx.IModelProto } {
  for (const [name, size] of Object.entries({ ...(rows !== undefined && { batch: rows }), ...axes })) {
    if (!Number.isInteger(size) || size < 1)
      throw new Error(`The size of "${name}" is ${size}; give an integer ≥ 1.`);
  }
  const firsts = batchAxes(model.graph!, axes);
  const batch = checkBatch(rows, firsts);
  const options = { batch, axes };
  const old = fixedBatch(firsts, batch);
  if (old === undefined) return { open: model, fixed: fix(model, options) };
  // What is wrong with the model as it is, is said as it is.
  const was = new Graph(fix(model, { ...options, batch: old }), old);
  const open = openBatch(model, old, was);
  const fixed = fix(open, options);
  try {
    rejectMixed(was, new Graph(copyModel(fixed), batch), old);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(
      `The model is made for batches of ${old}, and cannot have ${batch}: ${reason} ` +
        `Take --batch ${old}, or export it with an open batch axis.`,
      { cause },
    );
  }
  // Only of use where an operator is not known: such a first axis may be no batch.
  open.graph!.valueInfo = [];
  return { open, fixed };
}

/** A first axis that the batch is the size of; 0 where it is open. */
interface BatchAxis {
  readonly input: onnx.IValueInfoProto;
  readonly size: number;
}

/** The first axes of the inputs, but for those that have a size by name. */
function batchAxes(graph: onnx.IGraphProto, axes: Sizes['axes']): readonly BatchAxis[] {
  return dataInputs(graph).flatMap((input) => {
    const [first] = axesOf(input);
    return first && !Object.hasOwn(axes, first.dimParam ?? '')
      ? [{ input, size: Number(first.dimValue ?? 0) }]
      : [];
  });
}

/** @throws Error if the batch is needed and not given, or given and not needed. */
function checkBatch(batch: number | undefined, [first]: readonly BatchAxis[]): number {
  if (first && batch === undefined) {
    throw new Error(
      `The first axis of input "${first.input.name}" is the batch; say with --batch <rows> how long it is.`,
    );
  }
  if (!first && batch !== undefined) {
    throw new Error(
      `The batch is ${batch}, but no input has a first axis that has no size by name, so that it has no effect; ` +
        'leave it out, or that axis out of --axes.',
    );
  }
  // Nothing has this size where it is not given.
  return batch ?? 1;
}

/** The size of the first axis of all inputs, if it is fixed, and not that of the batch. */
function fixedBatch(firsts: readonly BatchAxis[], batch: number): number | undefined {
  const sizes = new Set(firsts.map(({ size }) => size));
  if (firsts.length === 0 || sizes.has(0) || sizes.has(batch)) return undefined;
  if (sizes.size === 1) return firsts[0]!.size;
  const list = firsts.map(({ input, size }) => `${size} for "${input.name}"`).join(', ');
  throw new Error(
    `The first axes of the inputs are fixed, at ${list}; none is the batch of ${batch}. ` +
      'Export the model with an open batch axis.',
  );
}

/**
 * A copy whose inputs and outputs have an open first axis.
 *
 * @param was the model as it is, where constants are known however they are written.
 */
function openBatch(model: onnx.IModelProto, old: number, was: Graph): onnx.IModelProto {
  const changed = copyModel(model);
  const graph = changed.graph!;
  for (const value of [...dataInputs(graph), ...graph.output!, ...graph.valueInfo!]) {
    const [first] = axesOf(value);
    if (Number(first?.dimValue ?? 0) !== old) continue;
    value.type!.tensorType!.shape!.dim![0] = { dimParam: BATCH_NAME };
  }
  // What does not depend on the inputs has no rows of a batch: a bias, say, that is stretched over them.
  const moving = new Set(dataInputs(graph).map(({ name }) => name!));
  graph.node!.forEach((node, k) => {
    if (!readsOf(node).some((name) => moving.has(name))) return;
    for (const name of node.output!) moving.add(name);
    if (node.opType !== 'Reshape' || moving.has(node.input![1]!)) return;
    const target = was.integers(node.input![1]!);
    if (target?.[0] !== old) return;
    // Where `allowzero` takes a 0 at its word, there are no elements at all; else it says nothing.
    if (target.includes(0) && node.attribute!.some(({ name, i }) => name === 'allowzero' && Number(i)))
      return;
    node.attribute = node.attribute!.filter((attribute) => attribute.name !== 'allowzero');
    const name = `${node.input![1]}/of_batch_${k}`;
    graph.initializer!.push(integerTensor(name, [0, ...target.slice(1)]));
    node.input![1] = name;
  });
  const used = new Set([...graph.node!.flatMap(readsOf), ...graph.output!.map(({ name }) => name!)]);
  graph.initializer = graph.initializer!.filter(({ name }) => used.has(name!));
  return changed;
}

/** A copy without open axes. */
function fix(model: onnx.IModelProto, { batch, axes }: Sizes): onnx.IModelProto {
  const changed = copyModel(model);
  const graph = changed.graph!;
  const sizes = new Map(Object.entries(axes));
  const unused = new Set(sizes.keys());
  const inputs = dataInputs(graph);
  for (const input of inputs) {
    const name = axesOf(input)[0]?.dimParam;
    if (name && !sizes.has(name)) sizes.set(name, batch);
  }
  for (const input of inputs) {
    axesOf(input).forEach((axis, k) => {
      if (Number(axis.dimValue ?? 0)) return;
      unused.delete(axis.dimParam ?? '');
      const size = sizes.get(axis.dimParam ?? '') ?? (k === 0 ? batch : undefined);
      if (size === undefined) rejectOpen(input, axis, k);
      setSize(axis, size);
    });
  }
  for (const value of [...graph.output!, ...graph.valueInfo!]) {
    for (const axis of axesOf(value)) {
      const size = sizes.get(axis.dimParam ?? '');
      if (size !== undefined) setSize(axis, size);
    }
  }
  const [name] = unused;
  if (name === undefined) return changed;
  const named = dataInputs(model.graph!).flatMap(axesOf);
  const known = [...new Set(named.flatMap(({ dimParam }) => dimParam || []))].join(', ') || 'none';
  throw new Error(`No input has an open axis "${name}"; of names there are ${known}.`);
}

function rejectOpen({ name }: onnx.IValueInfoProto, { dimParam }: Dimension, k: number): never {
  throw new Error(
    dimParam
      ? `Input "${name}" leaves its axis "${dimParam}" open; say with --axes ${dimParam}=<size> how long it is.`
      : `Input "${name}" leaves axis ${k} open, without a name; export the model with a size or a name for it.`,
  );
}

/** @throws Error naming the Reshape that does not keep the rows apart, or what else does not go together. */
function rejectMixed(was: Graph, is: Graph, old: number): void {
  // Rows are one behind the other, so many elements each, as far as the first axis whose size has changed.
  const rowLength = (value: string): number | undefined => {
    const [shape, changed] = [was.shape(value), is.shape(value)];
    const axis = shape.findIndex((size, k) => size !== changed[k]);
    return axis < 0 ? undefined : elementCount(shape.slice(axis)) / old;
  };
  for (const { opType, name, input, output } of is.nodes) {
    if (opType !== 'Reshape' || !was.knows(input![0]!) || !was.knows(output![0]!)) continue;
    if (rowLength(input![0]!) === rowLength(output![0]!)) continue;
    const [from, to] = [is.shape(input![0]!), is.shape(output![0]!)];
    throw new Error(
      `Reshape "${name || output![0]}" from ${showShape(from)} to ${showShape(to)} mixes rows.`,
    );
  }
  rejectBroughtTogether(was, is);
  for (const name of was.outputs.filter((output) => was.knows(output))) {
    const [shape, changed]: Shape[] = [was.shape(name), is.shape(name)];
    if (shape!.length === 0 || changed![0] !== shape![0]) continue;
    throw new Error(`The output "${name}" is ${showShape(changed!)} whatever the batch is.`);
  }
}

/** The inputs that are no weights; old exporters list these among the inputs, too. */
function dataInputs({ input, initializer }: onnx.IGraphProto): onnx.IValueInfoProto[] {
  const weights = new Set((initializer ?? []).map(({ name }) => name));
  return (input ?? []).filter(({ name }) => !weights.has(name));
}

function setSize(axis: Dimension, size: number): void {
  delete axis.dimParam;
  axis.dimValue = size;
}

/** @throws Error naming the node that makes one thing of all rows, as their mean, if rows depend on that again. */
function rejectBroughtTogether(was: Graph, is: Graph): void {
  const isOfRows = (name: string): boolean =>
    was.knows(name) && is.knows(name) && showShape(was.shape(name)) !== showShape(is.shape(name));
  // What the node made, and what follows from it.
  const together = new Map<string, onnx.INodeProto>();
  for (const node of is.nodes) {
    const [input, output] = [node.input!, node.output![0]!];
    if (['Shape', 'Size'].includes(node.opType!) || !is.knows(output)) continue;
    const earlier = input.map((name) => together.get(name)).find((source) => source !== undefined);
    const source = earlier ?? (input.some(isOfRows) ? node : undefined);
    if (source && !isOfRows(output)) together.set(output, source);
    if (earlier && isOfRows(output)) throw new Error(`${placeOf(earlier)} mixes rows.`);
  }
}
