/** In place of `@tensorflow/tfjs-data`, where a page imports it for the camera: pictures by a seed. */
import { type Tensor3D, tensor3d } from '@tensorflow/tfjs-core';
import { standIns } from './models.js';

const SIDE = 224;

async function capture(): Promise<Tensor3D> {
  const shade = Math.random();
  const values = Array.from({ length: SIDE * SIDE * 3 }, () => Math.floor(255 * shade * Math.random()));
  return tensor3d(values, [SIDE, SIDE, 3], 'int32');
}

export async function webcam(): Promise<{ capture: typeof capture }> {
  standIns.push('a camera');
  return { capture };
}
