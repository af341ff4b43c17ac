import { adapterInfoOf } from '../src/gpu/adapter-info.js';

/**
 * Whether the device runs on SwiftShader. It was measured to round `sqrt`, `/` and `*` correctly and never to contract,
 * so results on it can be compared bit for bit. Only Chromium says so; Firefox names no adapter at all.
 */
export function isSwiftShader(device: GPUDevice): boolean {
  return adapterInfoOf(device).architecture === 'swiftshader';
}
