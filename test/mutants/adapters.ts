import { slipsIn } from './slip.js';

const tfjs = ['e2e/tfjs-optimizer', 'e2e/tfjs-bad-input', 'e2e/tfjs-model'];
const jax = ['e2e/jax', 'e2e/jax-bad-input'];
const onnx = ['e2e/onnxruntime-bad-input', 'e2e/onnxruntime'];

export const adapterSlips = [
  ...slipsIn(
    'src/adapters/tfjs/updates.ts',
    ['e2e/tfjs-bad-input', 'e2e/tfjs-optimizer'],
    [
      ['if (gradient === null || gradient === undefined) continue;', 'if (gradient === null) continue;'],
      ['&& shape.every((length, k) => length === other.shape[k])', ''],
      ["if (dtype !== 'float32') fail", "if (dtype === 'string') fail"],
      ['if (variable.size > 0) updates.set', 'updates.set'],
    ],
  ),
  ...slipsIn(
    'src/adapters/tfjs/options.ts',
    ['e2e/tfjs-model#a rule of matrices'],
    [
      ['others.name !== rule.name &&', 'others.name === rule.name &&'],
      ["('others' in overrides && rule.others) || rule", 'rule'],
      ['return [option, known ?? value];', 'return [option, value];'],
      ['{ ...rules, ...matrixRules }', 'rules'],
      ['lr !== undefined && !isLrSet', 'lr !== undefined', 'e2e/tfjs-variables#a learning rate that was set'],
    ],
  ),
  ...slipsIn('src/adapters/tfjs/variable-table.ts', tfjs, [
    ['if (!gradient) skipped.push(entry.parameter);', '', 'e2e/tfjs-variables', 'e2e/tfjs-optimizer'],
    ['const gradient = variable.isDisposed ? undefined : ', 'const gradient = '],
    ['names.add(parameter);', ''],
    [
      ' || !this.rule.declaration.matrix?.iteration) return',
      ') return',
      'e2e/tfjs-optimizer#a rate that is set',
    ],
    [
      'if (!variable.isDisposed) return this.#dataOf(variable);',
      'if (variable.size > 0) return this.#dataOf(variable);',
    ],
  ]),
  ...slipsIn('src/adapters/tfjs/saved-state.ts', tfjs, [
    ['ofGroup?.[k] ?? step - joinedAt', 'step - joinedAt'],
    ['values.get(isNamed ? name : savedNames[k]!)!', 'values.get(savedNames[k]!)!'],
    ['savedNames.length > 0 && savedNames.length !== names.length', 'savedNames.length > names.length'],
    ['steps.get(name) ?? step', 'step', 'e2e/tfjs-model', 'e2e/tfjs-variables'],
    ["if (entries.length === 0) exported.add(`${name}/`, [], 'float32');", ''],
    ['if (step === 0 && !control && slots.size === 0) return;', '', 'e2e/tfjs-model#before the first step'],
  ]),
  ...slipsIn(
    'src/adapters/tfjs/train-state.ts',
    ['unit/tfjs-train-state'],
    [
      ["slot === 'momentum_buffer' && lrInVelocity ? -1 : 1", '1'],
      ["if (name === 'mg' && !used.includes(slot)) continue;", ''],
      ['theirs?.counts && saved.steps.size > 0', 'saved.steps.size > 0'],
      ['[...given].every((name) => own.has(name))', 'false'],
      ['used.includes(slot) ? [[slot,', 'slot ? [[slot,'],
      ['lrInVelocity !== theirs.lrInVelocity', 'lrInVelocity === undefined'],
      [', shapes.get(variable));', ');'],
    ],
  ),
  ...slipsIn(
    'src/adapters/tfjs/exported-tensors.ts',
    ['e2e/tfjs-model#saved', 'e2e/tfjs-model#exported'],
    [
      ['if (this.#unread.size === 0) this.dispose();', ''],
      ['this.#unread.delete(made);', 'this.#unread.clear();'],
    ],
  ),
  ...slipsIn(
    'src/adapters/tfjs/backend.ts',
    ['e2e/tfjs-variables#moved'],
    [
      ['this.internals.tensorMap.get(variable.dataId);\n    const refCount', 'const refCount'],
      ['if (name && isMade)', 'if (name)', 'unit/tfjs-or-else#asked for'],
    ],
  ),
  ...slipsIn('src/adapters/tfjs/make-engine.ts', tfjs, [
    ['assignAll(variables, later)', 'assignAll(variables)', 'e2e/tfjs-bad-input#no variable is for'],
    ['assignAll(variables, later)', 'assign(variables)', 'e2e/tfjs-bad-input#no variable is for'],
    ['if (isOfOthers) Object.assign(group, { others: true });', ''],
    ['if (lr !== undefined) engine.lr = lr;', ''],
  ]),
  ...slipsIn(
    'src/adapters/tfjs/variable-run.ts',
    ['e2e/tfjs-variables', ...tfjs],
    [
      ['engine.gradScale = gradScale;', ''],
      ['this.#variables.follow(this.#engine);', ''],
      ['{ skip: skipped }', '{}'],
      ['if (this.#engine) this.#variables.rebind(this.#engine, located);', ''],
    ],
  ),
  ...slipsIn(
    'src/adapters/tfjs/fused-optimizer.ts',
    ['e2e/tfjs-variables', ...tfjs],
    [
      ['saved.step + (saved.control?.skipped ?? 0)', 'saved.step'],
      ['this.#isLrSet = true;', ''],
      ['left.dispose();', '', 'unit/tfjs-or-else'],
      ['...ofOthers });', '});', 'e2e/tfjs-model#a rule of matrices'],
    ],
  ),
  ...slipsIn('src/adapters/jax/leaves.ts', jax.toReversed(), [
    [
      'if (leaf.shape.join() === shape.join()) continue;',
      'if (leaf.shape.length === shape.length) continue;',
    ],
    ['(uses.get(array) ?? 0) + 1', '1'],
    ["path !== '' && isLeft(leaf)", 'isLeft(leaf)', 'e2e/jax-bad-input'],
    ['if (leaf.dtype !== numpy.float32) {', 'if (!leaf.dtype) {'],
    ['if (leaf.refCount <= 0) {', 'if (leaf.refCount < 0) {'],
  ]),
  ...slipsIn(
    'src/adapters/shared/named-groups.ts',
    ['unit/named-groups', ...jax],
    [
      ['name === path || name.startsWith(`${path}.`) ||', 'name.startsWith(path) ||'],
      [
        '[...this.list.map(({ overrides }) => overrides), {}]',
        '[{}, ...this.list.map(({ overrides }) => overrides)]',
      ],
      ['if (naming.length > 1) {', 'if (naming.length > 2) {'],
      ["match.flags.replace(/[gy]/g, '')", 'match.flags'],
      [' && !all.has(path))', ')'],
      ['match.test(this.plainOf(name)) || ', ''],
      ['/\\d|\\\\d/.test(match.source) && match.test(name)', 'match.test(name)'],
      ['this.#rejectAmbiguous(names);', ''],
      ['...later.map((name) => this.rankOf(name, there)),', ''],
    ],
  ),
  ...slipsIn(
    'src/adapters/shared/bound-buffers.ts',
    [...jax, ...tfjs],
    [
      ['bound?.data !== placement.data || bound.grad !== placement.grad', 'bound?.data !== placement.data'],
      ['for (const [name, placement] of moved) this.#bound.set(name, placement);', ''],
      ['grad: { buffer: grad, size } };', 'grad: { buffer: grad } };'],
    ],
  ),
  ...slipsIn(
    'src/adapters/shared/own-buffers.ts',
    [...tfjs, ...onnx],
    [
      ['this.#zeros.size >= byteLength) return', 'this.#zeros.size > 0) return'],
      ['for (const buffer of this.#made.splice(0)) buffer.destroy();', ''],
    ],
  ),
  ...slipsIn('src/adapters/jax/transformation.ts', jax, [
    ['tree.dispose(params as never);', '', 'e2e/jax#in the shape of optax'],
    ["defaultDevice() === 'webgpu'", "defaultDevice() !== 'webgpu'", 'e2e/jax#falls back to wasm'],
  ]),
  ...slipsIn('src/adapters/jax/fused-optimizer.ts', jax, [
    ['updated.get(leaf) ?? leaf', 'updated.get(leaf)', 'e2e/jax#pass untouched'],
    ['copies.get(name) ?? array', 'array'],
    ['this.buffers.isUnshared(array) ? data : this.#copy(name, array, copies)', 'data'],
    ["rejectTied(placed, 'params');", ''],
    ['for (const copy of copies.values()) copy.dispose();', ''],
  ]),
  ...slipsIn(
    'src/adapters/onnxruntime/parameters.ts',
    ['unit/onnxruntime'],
    [
      ['if (!fits(output, dims)) {', 'if (false) {'],
      ['shape.length === dims.length &&', ''],
      ['if (initial.length === countElements(dims)) return;', 'return;'],
      ["initial.location !== 'cpu' && initial.location !== 'gpu-buffer'", 'false'],
    ],
  ),
  ...slipsIn('src/adapters/onnxruntime/trainer.ts', onnx, [
    ['await this.#running?.catch(() => undefined);', ''],
    ['if (open.isOwn) await open.session.release();', ''],
    ['if (this.#isSessionOwn) await this.session.release();', ''],
    ['if (this.#running) {', 'if (false) {'],
    ['if (outputs.has(value.name)) continue;', ''],
  ]),
];
