import type { Stage } from '../stage.js';
export class SparseStage implements Stage { constructor(_: unknown) {} encode(): void {} encodeProbe(): void {} prepareRebind(): () => void { return () => {}; } destroy(): void {} }
