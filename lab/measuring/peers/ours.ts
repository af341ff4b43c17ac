import {
  type DType,
  type GradientOptions,
  Optimizer,
  ParameterArena,
  type StateDtype,
} from '../../../src/index.js';
import { f32 } from '../../../src/codecs/f32.js';
import { resolveCodec } from '../../../src/codecs/weight-dtype.js';
import type { KernelShape } from '../../../src/kernel/shape.js';
import { layoutOf } from '../../../src/kernel/rule-layout.js';
import { withSettings } from '../../../src/rules/rule.js';
import { readSample } from '../page/read-back.js';
import type { Peer } from './peer.js';

/** This library as a user meets it: one data and one gradient buffer per tensor, more for one that they cannot hold. */
const withOptions =
  (options: GradientOptions & { stateDtype?: StateDtype; kernel?: KernelShape }): Peer =>
  async ({ device, rule, workload, benchCase }) => {
    const { buffersPerTensor } = workload;
    const optimizer = await Optimizer.create(device, {
      ...options,
      rule,
      params: Array.from({ length: benchCase.tensorCount }, (_, k) => {
        const own = [k * buffersPerTensor, (k + 1) * buffersPerTensor] as const;
        return {
          name: `w${k}`,
          data: workload.data.slice(...own),
          grad: workload.grad.slice(...own),
          length: benchCase.elementsPerTensor,
        };
      }),
    });
    return {
      step: () => optimizer.step(),
      finish: () => device.queue.onSubmittedWorkDone(),
      weights: () => readSample(device, workload.data.slice(-buffersPerTensor), benchCase.elementsPerTensor),
      destroy: () => optimizer.destroy(),
    };
  };

/** A step of nothing but the rule. */
export const ours = withOptions({});

/** A step in a shape that the library does not choose by itself. */
export const oursInShape = (kernel: KernelShape): Peer => withOptions({ kernel });

/** A step that looks at all gradients first; the limit is too high to change what it does. */
export const oursClipSkip = withOptions({ maxGradNorm: 1e30, skipNonFinite: true });

/** A step whose state is of fewer bits; nothing of rules that keep none which may be rounded. */
const withState =
  (stateDtype: StateDtype): Peer =>
  async (context) => {
    const { slots } = layoutOf(withSettings(context.rule, { stateDtype }));
    return slots.some(({ codec }) => codec.roundingError > 0)
      ? withOptions({ stateDtype })(context)
      : undefined;
  };

export const oursBf16State = withState('bf16');
export const oursInt8State = withState('int8');
export const oursInt4State = withState('int4');

/** All tensors in an arena: one dispatch, whatever their number. */
const inArena =
  (dtype: DType): Peer =>
  async ({ device, rule, workload, benchCase }) => {
    const { tensorCount, elementsPerTensor } = benchCase;
    // An arena's tensors must fit a binding each.
    if (4 * elementsPerTensor > device.limits.maxStorageBufferBindingSize) return undefined;
    const names = Array.from({ length: tensorCount }, (_, k) => `w${k}`);
    const tensor = { shape: [elementsPerTensor], dtype, gradDtype: dtype };
    const spec = Object.fromEntries(names.map((name) => [name, tensor]));
    const arena = await ParameterArena.create(device, spec, { label: 'bench arena' });
    const values = workload.randomArray(elementsPerTensor);
    const gradients = (resolveCodec(dtype, 'dtype', 'bench') ?? f32).encode(values);
    for (const name of names) {
      arena.load(name, values);
      const { buffer, offset } = arena.gradView(name);
      device.queue.writeBuffer(buffer, offset, gradients);
    }
    const optimizer = await Optimizer.create(device, {
      rule,
      params: arena.params,
      ...(dtype !== 'f32' && { masterWeights: 'f32' }),
    });
    // Weights behind weights are there from the first step on.
    if (dtype !== 'f32') optimizer.step();
    const last = names.at(-1)!;
    return {
      step: () => optimizer.step(),
      finish: () => device.queue.onSubmittedWorkDone(),
      // Of a small step, weights of 2 bytes need not show anything.
      weights: () => (dtype === 'f32' ? arena.read(last) : optimizer.readState(last, 'master')),
      destroy: () => {
        optimizer.destroy();
        arena.destroy();
      },
    };
  };

/** Weights and gradients of float32, in an arena. */
export const oursArena = inArena('f32');

/** Weights and gradients of bfloat16, and weights of float32 behind them, which the step reads and writes. */
export const oursBf16 = inArena('bf16');
