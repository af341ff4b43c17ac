import type * as Ort from 'onnxruntime-web';
import { Optimizer } from '../../engine/optimizer.js';
import { OptimizerError, quote } from '../../errors.js';
import type { Rule } from '../../rules/rule.js';
import { parameterAt } from '../shared/bound-buffers.js';
import { type OnnxTrainerConfig, checkConfig } from './config.js';
import { type GraphParameter, checkFeeds, findParameters, staticDims } from './parameters.js';
import {
  type OnnxModel,
  type OnnxRuntime,
  type OpenSession,
  openSession,
  runError,
  versionError,
} from './session.js';
import { type Place, TensorStore } from './tensors.js';

/** Tensors by the names of a graph's inputs or outputs. */
type Tensors = Readonly<Record<string, Ort.Tensor>>;

/** Where weights, gradients and other outputs lie. */
interface Places {
  /** By the names of the parameters. */
  readonly weights: ReadonlyMap<string, Place>;
  /** By the names of the parameters. */
  readonly gradients: ReadonlyMap<string, Place>;
  /** By the names of all outputs; null where ONNX Runtime makes a tensor each time, as an axis is open. */
  readonly outputs: ReadonlyMap<string, Place | null>;
}

/**
 * Trains an ONNX graph that computes gradients as outputs: ONNX Runtime runs it on its WebGPU device, and an optimizer updates
 * the weights where they lie. Weights are inputs of the graph, each with an output for its gradient;
 * this package's command `webgpu-optim-onnx` makes such a graph of an inference model.
 *
 * Weights and gradients have buffers that stay the same, so a step copies, reads back and rebinds nothing.
 *
 * @example
 * const trainer = await OnnxTrainer.create(ort, 'training.onnx', { rule: adam({ lr: 1e-3 }), parameters });
 * const { loss } = await trainer.step({ x, labels });
 * console.log(await loss.getData());
 */
export class OnnxTrainer<R extends Rule = Rule> {
  /** The device that ONNX Runtime and the optimizer compute on. */
  readonly device: GPUDevice;
  /** The session that runs the graph. */
  readonly session: Ort.InferenceSession;
  /**
   * The optimizer: `lr`, `stats()`, `readParam(name)`, `stateDict()` and all else. {@link OnnxTrainer.step} steps it, and it is
   * destroyed with the trainer.
   */
  readonly optimizer: Optimizer<R>;
  readonly #ort: OnnxRuntime;
  readonly #store: TensorStore;
  readonly #places: Places;
  readonly #isSessionOwn: boolean;
  /** The inputs that are no parameters, and the outputs that are no gradients. */
  readonly #inputs: readonly Ort.InferenceSession.ValueMetadata[];
  readonly #results: readonly string[];
  #running: Promise<unknown> | undefined;
  #destroying: Promise<void> | undefined;

  private constructor(
    ort: OnnxRuntime,
    { session, device, isOwn }: OpenSession,
    store: TensorStore,
    places: Places,
    optimizer: Optimizer<R>,
  ) {
    this.#ort = ort;
    this.device = device;
    this.session = session;
    this.#isSessionOwn = isOwn;
    this.#store = store;
    this.#places = places;
    this.optimizer = optimizer;
    this.#inputs = session.inputMetadata.filter(({ name }) => !places.weights.has(name));
    const gradients = new Set(places.gradients.values());
    this.#results = [...places.outputs].flatMap(([name, place]) =>
      place && gradients.has(place) ? [] : [name],
    );
  }

  /**
   * Opens the model, puts the weights on the GPU and makes the optimizer. Nothing of it is left if it fails.
   *
   * @param ort the module: `import * as ort from 'onnxruntime-web/webgpu'`.
   * @param model the training graph: an ONNX file's bytes or address, or a session on WebGPU, which stays the caller's.
   * @param config the rule, the weights, and options; see {@link OnnxTrainerConfig}.
   * @throws OptimizerError `invalid-config` if the runtime or the session does not compute on WebGPU, `invalid-parameter` if
   *   the graph lacks a parameter or its gradient, or shapes or types differ (float32 only); as `Optimizer.create`.
   */
  static async create<R extends Rule>(
    ort: OnnxRuntime,
    model: OnnxModel,
    config: OnnxTrainerConfig<R>,
  ): Promise<OnnxTrainer<R>> {
    const { parameters, gradientName, groups, device, sessionOptions, options } = checkConfig(config);
    const open = await openSession(ort, model, device, sessionOptions);
    const store = new TensorStore(ort, open.device, `${options.label ?? 'webgpu-optim'} onnxruntime`);
    try {
      const found = findParameters(open.session, parameters, gradientName);
      const places = await store.fill(() => makePlaces(store, open.session, found));
      const params = found.map(({ name, dims }) => {
        const [{ buffer: data }, { buffer: grad }] = [places.weights.get(name)!, places.gradients.get(name)!];
        return parameterAt(name, { data, grad, shape: dims });
      });
      const optimizer = await Optimizer.create<Rule>(open.device, {
        ...options,
        groups: groups.assignAll(params).map((group) => ({ ...group.overrides, params: group.params })),
      });
      return new OnnxTrainer<R>(ort, open, store, places, optimizer);
    } catch (error) {
      store.destroy();
      if (open.isOwn) await open.session.release();
      throw error;
    }
  }

  /**
   * The weights on the GPU, by name, in buffers that stay: feed them to other sessions on this device, e.g. to one that
   * evaluates. New tensors at each call, for one that has been read shows no later steps.
   */
  get parameters(): Tensors {
    return this.#tensorsAt(this.#places.weights);
  }

  /** The gradients of the last step on the GPU, by the names of the parameters; as {@link parameters}. */
  get gradients(): Tensors {
    return this.#tensorsAt(this.#places.gradients);
  }

  /**
   * Makes one step: runs the graph, and updates the weights with its gradients. Nothing is read back: the returned tensors are
   * on the GPU, and `await tensor.getData()` reads one.
   *
   * @param feeds a tensor for each input of the graph that is no parameter, on the CPU or on the GPU.
   * @returns the outputs that are no gradients. Those whose shape the graph fixes lie in the same buffers at every step, and the
   *   next overwrites them. The others are made by ONNX Runtime, and the caller's to dispose.
   * @throws OptimizerError on feeds that do not fit, if the last step is still running, or as `Optimizer.step`; what ONNX
   *   Runtime throws when it cannot run the graph. The weights have not changed then.
   */
  async step(feeds: Tensors): Promise<Tensors> {
    this.#rejectUnusable();
    checkFeeds(feeds, this.#inputs);
    const running = this.#run(feeds);
    this.#running = running;
    try {
      const outputs = await running;
      this.optimizer.step();
      return Object.fromEntries(this.#results.map((name) => [name, outputs[name]!]));
    } finally {
      this.#running = undefined;
    }
  }

  /** Reads all weights as they are after the steps made so far; `putWeights` puts them into an inference model. */
  async readWeights(): Promise<Record<string, Float32Array<ArrayBuffer>>> {
    const names = [...this.#places.weights.keys()];
    const values = await Promise.all(names.map((name) => this.optimizer.readParam(name)));
    return Object.fromEntries(names.map((name, k) => [name, values[k]!]));
  }

  /**
   * Frees the weights, gradients and outputs that the trainer made, the optimizer, and the session unless it was given. Waits
   * for a step that is running, which is made. May be called twice; each call resolves when all is freed.
   */
  async destroy(): Promise<void> {
    await (this.#destroying ??= this.#destroy());
  }

  async #destroy(): Promise<void> {
    await this.#running?.catch(() => undefined);
    this.optimizer.destroy();
    this.#store.destroy();
    if (this.#isSessionOwn) await this.session.release();
  }

  async #run(feeds: Tensors): Promise<Ort.InferenceSession.ReturnType> {
    const fetches = Object.fromEntries(
      [...this.#places.outputs].map(([name, place]) => [name, place && this.#store.tensorAt(place)]),
    );
    let outputs: Ort.InferenceSession.ReturnType;
    try {
      outputs = await this.session.run({ ...feeds, ...this.parameters }, fetches);
    } catch (error) {
      throw runError(error);
    }
    for (const [name, fetch] of Object.entries(fetches)) {
      if (fetch && outputs[name] !== fetch) {
        throw versionError(this.#ort, `has not put the output ${quote(name)} where it was asked to`);
      }
    }
    return outputs;
  }

  #tensorsAt(places: ReadonlyMap<string, Place>): Tensors {
    return Object.fromEntries([...places].map(([name, place]) => [name, this.#store.tensorAt(place)]));
  }

  #rejectUnusable(): void {
    if (this.#destroying) {
      throw new OptimizerError('destroyed', 'step(): the trainer is destroyed; create a new one.');
    }
    if (this.#running) {
      throw new OptimizerError(
        'invalid-config',
        'step(): the last step is still running; await it before the next.',
      );
    }
  }
}

function makePlaces(
  store: TensorStore,
  { outputMetadata }: Ort.InferenceSession,
  found: readonly GraphParameter[],
): Places {
  const weights = new Map(found.map(({ name, dims, initial }) => [name, store.place(name, dims, initial)]));
  const gradients = new Map(found.map(({ name, gradient, dims }) => [name, store.allocate(gradient, dims)]));
  const outputs = new Map<string, Place | null>(
    found.map(({ name, gradient }) => [gradient, gradients.get(name)!]),
  );
  for (const value of outputMetadata) {
    if (outputs.has(value.name)) continue;
    const dims = value.isTensor && value.type === 'float32' ? staticDims(value) : undefined;
    outputs.set(value.name, dims ? store.allocate(value.name, dims) : null);
  }
  return { weights, gradients, outputs };
}
