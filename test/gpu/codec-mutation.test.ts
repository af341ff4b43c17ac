/** The test of codecs can fail, everywhere: each codec of the registry with one thing in its WGSL changed is told from its twin. */
import { expect, inject } from 'vitest';
import { Random } from '../../proof/random.js';
import {
  CODEC_FUNCTIONS,
  type KeptInput,
  composeCodecKernel,
  keepings,
  runCodecKernel,
  wholeLength,
} from '../support/codec-kernel.js';
import { drawn } from '../support/draw.js';
import { gpuTest } from '../support/device.js';
import { checkKeeping, checkLoading, numbersFor } from '../support/kept-numbers.js';
import { MISTAKES_OF_BITS, mutantsOf, reachableFunctions } from '../support/wgsl-mutants.js';

/** Blocks of all kinds, a part of one behind one of its own size, and lanes of which not all is there. */
const LENGTHS = [932, 933, 934, 935];

/** Changes that change nothing: what they are in, and why. */
const WITHOUT_EFFECT: readonly [text: RegExp, reason: string][] = [
  [/^\+ .* - vec4<u32>\(u32\(most\) \+ 1u\);$/, 'codes count modulo 16, and it is 8 that is taken away'],
  [/^\+ .* \/ CORRECTION_STEP - 128;$/, 'codes count modulo 256, and it is 128 that is taken away'],
  [/^<< .* let nan = /, 'NaN stays NaN by its first bit; the numbers here have no other payload'],
];

/** Functions that were mutated: codecs share some. */
const mutated = new Set<string>();

const mutants = keepings().flatMap((keeping) => {
  const wgsl = composeCodecKernel(keeping);
  const own = reachableFunctions(wgsl, CODEC_FUNCTIONS);
  return mutantsOf(wgsl, MISTAKES_OF_BITS, mutated, (name) => own.has(name))
    .filter(({ title }) => !WITHOUT_EFFECT.some(([text]) => text.test(title)))
    .map((mutant) => ({ keeping, ...mutant, title: `${keeping.title} with ${mutant.title}` }));
});

// Each compiles a kernel, so one of twelve is made.
gpuTest.for(drawn(mutants, 12).map((mutant) => [mutant.title, mutant] as const))(
  '%s is noticed',
  async ([, { keeping, wgsl }], { device, track }) => {
    const random = new Random(inject('seed'));
    const run = (input: KeptInput) => runCodecKernel(device, track, keeping, input, wgsl);
    const lengths = LENGTHS.filter((length) => length % wholeLength(keeping) === 0);
    const found = await Promise.all(
      lengths.flatMap((length) => [
        checkKeeping(run, keeping, numbersFor(keeping, random, length), random, true),
        checkLoading(run, keeping, length, random, true),
      ]),
    );
    expect(found.filter((wrong) => wrong !== undefined)).not.toEqual([]);
  },
);
