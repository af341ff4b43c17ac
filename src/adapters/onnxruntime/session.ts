import type * as Ort from 'onnxruntime-web';
import { OptimizerError, quote } from '../../errors.js';
import { tagOf } from '../../given.js';
import { isDevice } from '../shared/gpu-objects.js';

/** ONNX Runtime as imported: `import * as ort from 'onnxruntime-web/webgpu'`, or another entry that has WebGPU. */
export type OnnxRuntime = Pick<typeof Ort, 'InferenceSession' | 'Tensor' | 'env'>;

/** A training graph: a session, an ONNX file's bytes or its address. */
export type OnnxModel = Ort.InferenceSession | Uint8Array | ArrayBuffer | string;

/** A session with the device that it computes on. */
export interface OpenSession {
  readonly session: Ort.InferenceSession;
  readonly device: GPUDevice;
  /** Whether the session was made here, and is to be released here. */
  readonly isOwn: boolean;
}

/** The version that the tests run with. */
const TESTED_VERSION = '1.30';

/**
 * Makes the session, or takes the one given.
 *
 * @throws OptimizerError `invalid-config` if the runtime or the session lacks what is needed; what ONNX Runtime itself throws
 *   when it cannot read the model.
 */
export async function openSession(
  ort: OnnxRuntime,
  model: OnnxModel,
  device?: GPUDevice,
  options: Ort.InferenceSession.SessionOptions = {},
): Promise<OpenSession> {
  checkRuntime(ort);
  const isOwn = !isSession(model);
  const session = isOwn ? await createSession(ort, model, device, options) : model;
  try {
    if (!Array.isArray(session.inputMetadata) || !Array.isArray(session.outputMetadata)) {
      throw versionError(ort, 'does not describe inputs and outputs of a session');
    }
    // Outside of a session of its own choice, the runtime tells the device here.
    const found: unknown = device ?? (await ort.env.webgpu?.device);
    if (isDevice(found)) return { session, device: found, isOwn };
    throw new OptimizerError(
      'invalid-config',
      `ort.env.webgpu.device is ${quote(found)}: no session of this runtime computes on WebGPU; import onnxruntime-web/webgpu, ` +
        'and give the model itself, or a session made with executionProviders: [{ name: "webgpu", device }] and its device.',
    );
  } catch (error) {
    if (isOwn) await session.release();
    throw error;
  }
}

/** An error that says which version of ONNX Runtime was found, and which is known to work. */
export function versionError(ort: OnnxRuntime, lack: string): OptimizerError {
  const found: unknown = ort?.env?.versions?.web ?? ort?.env?.versions?.common;
  return new OptimizerError(
    'invalid-config',
    `ONNX Runtime ${found === undefined ? `(${quote(ort)})` : quote(found)} ${lack}; ` +
      `give the module onnxruntime-web/webgpu, version ${TESTED_VERSION}.`,
  );
}

/** What a run has thrown, or where a session is not on the device, an error that says so. */
export function runError(error: unknown): unknown {
  const message = error instanceof Error ? error.message : String(error);
  // Dawn's words. What other implementations say goes as it is.
  if (/is associated with \[Device/.test(message)) {
    return new OptimizerError(
      'invalid-config',
      `the session refuses tensors on another GPUDevice than its own (${message}); ` +
        'give the device that the session was made with, or give the model in its place.',
      { cause: error },
    );
  }
  // The ways in which a session on the CPU refuses a tensor on the GPU; the third hides the second, and the last comes where no
  // session computes on WebGPU yet.
  const refusals =
    /without using WebGPU|Invalid session handle|Buffer is not registered|webgpu\w+ is not a function/;
  if (!refusals.test(message)) return error;
  return new OptimizerError(
    'invalid-config',
    `the session refuses tensors in GPU buffers (${message}), so it does not compute on WebGPU; ` +
      'make it with executionProviders: [{ name: "webgpu", device }], or give the model in its place.',
    { cause: error },
  );
}

function checkRuntime(ort: OnnxRuntime): void {
  if (
    typeof ort?.InferenceSession?.create !== 'function' ||
    typeof ort.Tensor?.fromGpuBuffer !== 'function'
  ) {
    throw versionError(ort, 'has no tensors in GPU buffers');
  }
}

function isSession(model: OnnxModel): model is Ort.InferenceSession {
  return typeof model === 'object' && model !== null && 'run' in model;
}

async function createSession(
  ort: OnnxRuntime,
  model: Exclude<OnnxModel, Ort.InferenceSession>,
  device: GPUDevice | undefined,
  options: Ort.InferenceSession.SessionOptions,
): Promise<Ort.InferenceSession> {
  const all: Ort.InferenceSession.SessionOptions = {
    executionProviders: [{ name: 'webgpu', ...(device && { device }) }],
    preferredOutputLocation: 'gpu-buffer',
    ...options,
  };
  if (typeof model === 'string') return await ort.InferenceSession.create(model, all);
  // Of whatever realm.
  const kind = tagOf(model);
  if (kind === '[object ArrayBuffer]' || kind === '[object Uint8Array]') {
    return await ort.InferenceSession.create(new Uint8Array(model), all);
  }
  throw new OptimizerError(
    'invalid-config',
    `the model is ${quote(model)}; give an ONNX file's bytes or address, or a session.`,
  );
}
