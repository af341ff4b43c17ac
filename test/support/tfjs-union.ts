/** What `@tensorflow/tfjs` is: core with all gradients, and layers. The union itself is not installed. */
// The flags that registering asks for.
import '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-core/dist/register_all_gradients';

export * from '@tensorflow/tfjs-core';
export * from '@tensorflow/tfjs-layers';
