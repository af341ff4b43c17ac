import { slipsIn } from './slip.js';

const tfjs = ['e2e/tfjs-optimizer', 'e2e/tfjs-bad-input', 'e2e/tfjs-model'];
const jax = ['e2e/jax', 'e2e/jax-bad-input'];
const onnx = ['e2e/onnxruntime-bad-input', 'e2e/onnxruntime'];

export const adapterSlips = [
  ...slipsIn('src/adapters/tfjs/updates.ts', tfjs, [
    ['if (gradient === null || gradient === undefined) continue;', 'if (gradient === null) continue;'],
    ['if (gradientShape !== shape) {', 'if (gradientShape.length !== shape.length) {'],
    ["if (dtype !== 'float32') fail", "if (dtype === 'string') fail"],
    ['if (variable.size > 0) updates.set', 'updates.set'],
  ]),
  ...slipsIn('src/adapters/tfjs/variable-table.ts', tfjs, [
    ['if (data === entry.data && grad === entry.grad) continue;', 'if (data === entry.data) continue;'],
    ['this.names.filter((name) => !updates.has(name))', 'this.names.filter((name) => updates.has(name))'],
    ['this.#zeros.size >= byteLength', 'this.#zeros.size > 0'],
  ]),
  ...slipsIn('src/adapters/tfjs/saved-state.ts', tfjs, [
    ['saved.joined[k] ?? 0', '0'],
    ['isNamed ? indexOf.get(name)! : k', 'k'],
    ['savedCount > 0 && savedCount !== names.length', 'savedCount > names.length'],
  ]),
  ...slipsIn('src/adapters/jax/leaves.ts', jax, [
    [
      'if (leaf.shape.join() === shape.join()) continue;',
      'if (leaf.shape.length === shape.length) continue;',
    ],
    ['(uses.get(array) ?? 0) + 1', '1'],
    ['if (leaf.dtype !== numpy.float32) {', 'if (!leaf.dtype) {'],
    ['if (leaf.refCount <= 0) {', 'if (leaf.refCount < 0) {'],
  ]),
  ...slipsIn('src/adapters/jax/leaf-groups.ts', jax, [
    ['name === path || name!.startsWith(`${path}.`)', 'name!.startsWith(path)'],
    ['[...groups, { params: [...left.values()] }]', 'groups'],
  ]),
  ...slipsIn('src/adapters/jax/fused-optimizer.ts', jax, [
    ['copies.get(name) ?? array', 'array'],
    ['if (last?.data === data && last.grad === grad) return;', 'if (last?.data === data) return;'],
    ['if (this.buffers.isUnshared(array)) return buffer;', 'return buffer;'],
  ]),
  ...slipsIn('src/adapters/onnxruntime/parameters.ts', onnx, [
    ['if (!fits(output, dims)) {', 'if (false) {'],
    ['shape.length === dims.length &&', ''],
    ['if (initial.length === countElements(dims)) return;', 'return;'],
    ["initial.location !== 'cpu' && initial.location !== 'gpu-buffer'", 'false'],
  ]),
  ...slipsIn('src/adapters/onnxruntime/trainer.ts', onnx, [
    ['if (open.isOwn) await open.session.release();', ''],
    ['if (this.#isSessionOwn) await this.session.release();', ''],
    ['if (this.#running) {', 'if (false) {'],
    ['if (outputs.has(value.name)) continue;', ''],
  ]),
];
