/** Networks of the kind that programs load from elsewhere, with weights by a seed. */
import { type LayersModel, layers, sequential } from '@tensorflow/tfjs-layers';

/** What has been stood in for in this page. */
export const standIns: string[] = [];

/** Keras' network for digits: 7 layers of features, and 5 behind them. */
const digits = (): LayersModel =>
  sequential({
    layers: [
      layers.conv2d({ inputShape: [28, 28, 1], filters: 8, kernelSize: 3 }),
      layers.activation({ activation: 'relu' }),
      layers.conv2d({ filters: 8, kernelSize: 3 }),
      layers.activation({ activation: 'relu' }),
      layers.maxPooling2d({ poolSize: 2 }),
      layers.dropout({ rate: 0.25 }),
      layers.flatten(),
      layers.dense({ units: 32 }),
      layers.activation({ activation: 'relu' }),
      layers.dropout({ rate: 0.5 }),
      layers.dense({ units: 5 }),
      layers.activation({ activation: 'softmax' }),
    ],
  });

/** Layers named as MobileNet's last ones are, behind one that makes pictures small. */
const mobileNet = (): LayersModel =>
  sequential({
    layers: [
      layers.conv2d({ inputShape: [224, 224, 3], filters: 8, kernelSize: 16, strides: 16, name: 'conv1' }),
      layers.reLU({ name: 'conv1_relu' }),
      ...[9, 10, 11, 12, 13].flatMap((k) => [
        layers.conv2d({ filters: 8, kernelSize: 3, strides: 1, padding: 'same', name: `conv_pw_${k}` }),
        layers.batchNormalization({ name: `conv_pw_${k}_bn` }),
        layers.reLU({ name: `conv_pw_${k}_relu` }),
      ]),
    ],
  });

/** @throws Error if nothing stands in for the model of that address. */
export function standInModel(url: string): LayersModel {
  standIns.push(url.split('/').slice(-2).join('/'));
  if (/mnist_transfer_cnn/.test(url)) return digits();
  if (/mobilenet/.test(url)) return mobileNet();
  throw new Error(`nothing stands in for ${url}`);
}
