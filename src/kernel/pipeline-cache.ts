export * from '../gpu/pipelines.js';
