import { type DataType, type DataTypeMap, type Tensor, dispose, tensor } from '@tensorflow/tfjs-core';

/** A tensor with a name, as tfjs's optimizers hand them out. */
export interface NamedTensor {
  name: string;
  tensor: Tensor;
}

/**
 * Tensors that an optimizer hands out and that stay its own, as tfjs has it: nobody else disposes them. They are released as soon
 * as all have been read, as a save reads them; `data()` gives the values then, too.
 */
export class ExportedTensors {
  readonly list: NamedTensor[] = [];
  readonly #unread = new Set<Tensor>();

  /** Adds a tensor of some shape; otherwise a number is a scalar, and a list has one axis. */
  add(
    name: string,
    values: number | readonly number[] | Float32Array,
    dtype: 'int32' | 'float32',
    shape = typeof values === 'number' ? [] : [values.length],
  ): void {
    const made = tensor(values as number | number[], shape, dtype);
    const kept = made.dataSync<typeof dtype>();
    this.#unread.add(made);
    made.data = async <D extends DataType>() => {
      this.#unread.delete(made);
      if (this.#unread.size === 0) this.dispose();
      return kept.slice() as DataTypeMap[D];
    };
    this.list.push({ name, tensor: made });
  }

  /** Releases what is not released yet. */
  dispose(): void {
    dispose(this.list.map((exported) => exported.tensor));
  }
}
