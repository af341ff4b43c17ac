import type { TransformerConfig } from './transformer.js';

/** A network and its batch. */
export interface TextSize extends Omit<TransformerConfig, 'vocabularySize'> {
  readonly batchSize: number;
  /** How many characters a sample adds to its prompt; each is a pass through the network. */
  readonly sampleLength: number;
}

/**
 * `small` is for software adapters, where each barrier of tfjs's reductions costs: on SwiftShader, one softmax over 1024 rows
 * takes 64 ms, ten times a product of 256×64×64. `large` is for GPUs. Rows × length stays below 2000: from there on tfjs adds up the products
 * of a matrix in no fixed order (MatMulSplitKProgram of 4.22), and the same seed would not give the same run.
 */
export const textSizes = {
  small: { layerCount: 2, width: 32, headCount: 2, contextLength: 16, batchSize: 8, sampleLength: 60 },
  large: { layerCount: 4, width: 128, headCount: 4, contextLength: 96, batchSize: 16, sampleLength: 200 },
} as const satisfies Record<string, TextSize>;

export type TextSizeName = keyof typeof textSizes;
