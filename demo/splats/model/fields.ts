import type { Parameter } from '../../../src/index.js';
import { type SplatPlan, SPLAT_BYTES } from './plan.js';

/** Bytes from one splat's gradients to the next's: they are packed, as shaders/gradients.wgsl writes them. */
export const GRADIENT_BYTES = 40;

/** A part of a splat that the optimizer steps: floats, and where they lie in the structs of splats and of gradients. */
export interface Field {
  readonly length: number;
  /** In bytes. */
  readonly offset: number;
  readonly gradientOffset: number;
}

/** The parts, by name. */
export const fields = {
  position: { length: 2, offset: 0, gradientOffset: 16 },
  logScale: { length: 2, offset: 8, gradientOffset: 24 },
  rotation: { length: 2, offset: 16, gradientOffset: 32 },
  opacity: { length: 1, offset: 24, gradientOffset: 12 },
  colour: { length: 3, offset: 32, gradientOffset: 0 },
} as const satisfies Record<string, Field>;

/** Name of a {@link Field}, and of its parameter. */
export type FieldName = keyof typeof fields;

/** All names, for `mapRows`: rows of all move together. */
export const fieldNames = Object.keys(fields) as FieldName[];

/** Where the numbers of a field lie in a buffer of splats. */
export function dataOf(name: FieldName, buffer: GPUBuffer) {
  return { buffer, offset: fields[name].offset, byteStride: SPLAT_BYTES };
}

/** The same of gradients. */
export function gradientOf(name: FieldName, buffer: GPUBuffer) {
  return { buffer, offset: fields[name].gradientOffset, byteStride: GRADIENT_BYTES };
}

/** Colours beyond this add nothing that a picture can show. */
const MOST_COLOUR = 2;

/** A field as the optimizer takes it: columns of the structs, as long as there are splats, with the limits of the field. */
export function parameterOf(
  name: FieldName,
  count: number,
  { splats, gradients }: { readonly splats: GPUBuffer; readonly gradients: GPUBuffer },
  { deviations }: SplatPlan,
): Parameter {
  const constraints: Partial<Record<FieldName, Parameter['constraint']>> = {
    // No splat reaches more tiles than their lists have room for.
    logScale: { min: Math.log(deviations.least), max: Math.log(deviations.most) },
    rotation: 'unit-rows',
    colour: { min: -MOST_COLOUR, max: MOST_COLOUR },
  };
  const constraint = constraints[name];
  return {
    name,
    data: dataOf(name, splats),
    grad: gradientOf(name, gradients),
    rowLength: fields[name].length,
    length: fields[name].length * count,
    ...(constraint && { constraint }),
  };
}
