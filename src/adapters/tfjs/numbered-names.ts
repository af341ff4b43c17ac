/**
 * A variable's name without the number that tfjs-layers puts behind it where a page makes a model again: `out/bias` of `out/bias_1`.
 * Names of layers, `dense_1/bias`, stay as they are, and so do names without a layer, which are the page's own.
 */
export const withoutNumber = (name: string): string => name.replace(/(\/[^/]+)_[1-9]\d*$/, '$1');
