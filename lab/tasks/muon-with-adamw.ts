import { type LearningRate, adamw, muon } from '../../src/index.js';

const DECAY = { weightDecay: 0.01 };

/** Muon for matrices, AdamW for the others. Muon's steps are as long as AdamW's are, so that one rate is for both. */
export const muonWithAdamw = (lr: LearningRate) =>
  muon({ lr, ...DECAY, adjustLrFn: 'match_rms_adamw', others: adamw({ lr, ...DECAY }) });

/**
 * Names of the matrices in which each row, or column, is a character's, a place's or a class's. They go by the rule of the others:
 * muon is for the matrices between them.
 */
export const TABLES = /(^|\.)(characters|positions|output)(\.weight)?$/;
