import { Array as JaxArray, numpy } from '@jax-js/jax';
import { OptimizerError, quote } from '../../errors.js';

/** The arrays of a pytree by their paths, in the tree's order. */
export type Leaves = ReadonlyMap<string, JaxArray>;

/** A tree that is one array has no path; its name is this. */
const ROOT_NAME = 'params';

/**
 * The paths of leaves that an optimizer leaves alone: null, and arrays that are not float32. Not that of a tree that is one leaf.
 */
export function pathsLeftAlone(tree: unknown): ReadonlySet<string> {
  const isLeft = (leaf: unknown) =>
    leaf === null || (leaf instanceof JaxArray && leaf.dtype !== numpy.float32);
  return new Set([...walk(tree, '')].flatMap(([path, leaf]) => (path !== '' && isLeft(leaf) ? [path] : [])));
}

/**
 * The arrays of a pytree, named by their paths: keys and indices joined by dots, `'dense1.kernel'` or `'layers.0.bias'`.
 *
 * @param what which argument the tree is, for errors.
 * @param left paths of leaves to pass over.
 * @throws OptimizerError `invalid-parameter` unless every other leaf is a live float32 array on the `'webgpu'` device, no
 *   two have one path, and there is one.
 */
export function namedLeaves(tree: unknown, what: string, left: ReadonlySet<string>): Leaves {
  const leaves = new Map<string, JaxArray>();
  const check = (name: string, leaf: unknown) => checkArray(leaf, `${what}: ${quote(name)}`);
  const all = [...walk(tree, '')];
  for (const [path, leaf] of all) {
    if (left.has(path)) continue;
    const name = path === '' ? ROOT_NAME : path;
    if (leaves.has(name)) {
      fail(`${what}: two arrays have the path ${quote(name)}; use keys without dots.`);
    }
    leaves.set(name, check(name, leaf));
  }
  if (leaves.size > 0) return leaves;
  // Of leaves that are left alone, the first says what is wrong with it.
  for (const [path, leaf] of all) check(path, leaf);
  return fail(`${what} is ${quote(tree)}, without any array; give a pytree of arrays.`);
}

/**
 * Throws unless both have the same paths and, under each, the same shape.
 *
 * @throws OptimizerError `invalid-parameter` naming the first difference.
 */
export function checkSameShapes(
  leaves: Leaves,
  shapes: ReadonlyMap<string, readonly number[]>,
  what: string,
): void {
  for (const [name, shape] of shapes) {
    const leaf = leaves.get(name);
    if (!leaf) fail(`${what}: there is no ${quote(name)}; give the tree that the optimizer was made for.`);
    if (leaf.shape.join() === shape.join()) continue;
    fail(
      `${what}: ${quote(name)} has shape [${leaf.shape.join(', ')}], but the parameter had [${shape.join(', ')}] when ` +
        'the optimizer was made; give that shape.',
    );
  }
  if (leaves.size === shapes.size) return;
  const extra = [...leaves.keys()].find((name) => !shapes.has(name));
  fail(`${what}: the optimizer knows no ${quote(extra)}; leave it out, or make a new optimizer.`);
}

/**
 * Throws unless each array has a reference for every place where it stands: all of them are consumed.
 *
 * @throws OptimizerError `invalid-parameter` naming the first place too many.
 */
export function checkReferences(trees: Readonly<Record<string, Leaves>>): void {
  const uses = new Map<JaxArray, number>();
  for (const [what, leaves] of Object.entries(trees)) {
    for (const [name, array] of leaves) {
      const count = (uses.get(array) ?? 0) + 1;
      uses.set(array, count);
      if (count <= array.refCount) continue;
      fail(
        `${what}: ${quote(name)} is an array that stands in ${count} places but has ${array.refCount} reference; give ` +
          'array.ref in the others, as each is consumed.',
      );
    }
  }
}

/**
 * Throws if one buffer holds the weights of two leaves: each would be trained by itself, and no longer be the other.
 *
 * @throws OptimizerError `invalid-parameter` naming both.
 */
export function rejectTied(
  placed: Iterable<{ readonly name: string; readonly data: GPUBuffer }>,
  what: string,
): void {
  const names = new Map<GPUBuffer, string>();
  for (const { name, data } of placed) {
    const other = names.get(data);
    names.set(data, name);
    if (other === undefined) continue;
    fail(
      `${what}: ${quote(other)} and ${quote(name)} are one array, or views of one; name it once and sum the gradients, or ` +
        'give a copy, array.ref.mul(1), if they are to part.',
    );
  }
}

/** Bytes of the longest of some arrays. */
export const longestOf = (leaves: Leaves): number =>
  4 * Math.max(...Array.from(leaves.values(), ({ size }) => size));

/** Leaves with their paths. What is a node is what jax-js's own `tree.flatten` takes for one. */
function* walk(tree: unknown, path: string): Generator<[path: string, leaf: unknown]> {
  const isNode = Array.isArray(tree) || (typeof tree === 'object' && tree?.constructor === Object);
  if (!isNode) {
    yield [path, tree];
    return;
  }
  for (const [key, child] of Object.entries(tree as object))
    yield* walk(child, path === '' ? key : `${path}.${key}`);
}

function checkArray(leaf: unknown, what: string): JaxArray {
  if (!(leaf instanceof JaxArray)) {
    fail(
      `${what} is ${quote(leaf)}; give an Array of the @jax-js/jax that webgpu-optim/jax imports, outside of functions ` +
        'that jit, grad or vmap trace.',
    );
  }
  if (leaf.refCount <= 0) {
    fail(`${what} is disposed: whatever it was given to consumed it; give array.ref there to keep it.`);
  }
  if (leaf.device !== 'webgpu') {
    fail(
      `${what} lies on device ${quote(leaf.device)}; call defaultDevice('webgpu') before it is made, or move it with ` +
        "await devicePut(array, 'webgpu'); where the browser has no WebGPU, take an optimizer of @jax-js/optax.",
    );
  }
  if (leaf.dtype !== numpy.float32) {
    fail(`${what} has dtype ${quote(leaf.dtype)}; give float32, e.g. array.astype(numpy.float32).`);
  }
  if (leaf.size === 0) fail(`${what} has shape [${leaf.shape.join(', ')}], without elements; leave it out.`);
  return leaf;
}

function fail(message: string): never {
  throw new OptimizerError('invalid-parameter', message);
}
