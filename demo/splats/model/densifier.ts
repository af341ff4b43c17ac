import { type Command, type Kernel, command, dispatch, gridFor } from '../../shared/kernels.js';
import mapWgsl from '../shaders/map.wgsl?raw';
import rankWgsl from '../shaders/rank.wgsl?raw';
import selectWgsl from '../shaders/select.wgsl?raw';
import splatWgsl from '../shaders/splat.wgsl?raw';
import splitWgsl from '../shaders/split.wgsl?raw';
import type { PictureBuffers, SplatBuffers } from './buffers.js';
import { compile } from './compile.js';
import { type Densification, SPLAT_BYTES } from './plan.js';
import type { PrefixSums } from './scan.js';

/** What becomes of a splat, as shaders/rank.wgsl and shaders/map.wgsl have it. */
const [PRUNED, SPLIT] = [1, 2];
/** Digits of eight bits in a key. */
const ROUNDS = 4;

type KernelName =
  | 'rank_for_pruning'
  | 'rank_for_splitting'
  | 'count_digits'
  | 'choose_digit'
  | 'mark_ties'
  | 'prune'
  | 'split'
  | 'mark'
  | 'place'
  | 'halve';

/**
 * Decides on the GPU which splats are pruned and which are split, and makes the map that `mapRows` takes. How many is planned, so
 * that the host knows the number of rows: it chooses exactly the weakest and the most strained, and reads nothing back.
 */
export class Densifier {
  private constructor(
    private readonly device: GPUDevice,
    private readonly kernels: Readonly<Record<KernelName, Kernel>>,
    private readonly sums: PrefixSums,
    private readonly picture: PictureBuffers,
  ) {}

  /** Compiles the kernels. */
  static async create(device: GPUDevice, sums: PrefixSums, picture: PictureBuffers): Promise<Densifier> {
    const sources = {
      rank_for_pruning: compile(device, 'rank_for_pruning', [splatWgsl, rankWgsl]),
      rank_for_splitting: compile(device, 'rank_for_splitting', [splatWgsl, rankWgsl]),
      count_digits: compile(device, 'count_digits', [selectWgsl]),
      choose_digit: compile(device, 'choose_digit', [selectWgsl]),
      mark_ties: compile(device, 'mark_ties', [selectWgsl]),
      prune: compile(device, 'choose', [selectWgsl], { FATE: PRUNED }),
      split: compile(device, 'choose', [selectWgsl], { FATE: SPLIT }),
      mark: compile(device, 'mark', [mapWgsl]),
      place: compile(device, 'place', [mapWgsl]),
      halve: compile(device, 'split', [splatWgsl, splitWgsl]),
    } satisfies Record<KernelName, Promise<Kernel>>;
    const compiled = await Promise.all(
      Object.entries(sources).map(async ([name, kernel]) => [name, await kernel] as const),
    );
    return new Densifier(device, Object.fromEntries(compiled) as Record<KernelName, Kernel>, sums, picture);
  }

  /**
   * Submits what makes the map. Shapes and strains are those of the last step.
   *
   * @param from where the splats are.
   * @param to where they will be: there, map and partners are written; `from` itself if it has the room.
   */
  makeMap(from: SplatBuffers, to: SplatBuffers, { before, pruned, split, after }: Densification): void {
    const { device, kernels, sums } = this;
    const words = (buffer: GPUBuffer, count = before): GPUBufferBinding => ({ buffer, size: 4 * count });
    const splats = { buffer: from.splats, size: SPLAT_BYTES * before };
    const shapes = { buffer: from.shapes, size: SPLAT_BYTES * before };
    const [fates, keys] = [words(from.fates), words(from.keys)];
    const [kept, halves] = [words(from.keptRanks), words(from.splitRanks)];
    const grid = gridFor(before);
    this.#choose(from, before, pruned, 'prune', [
      command(device, kernels.rank_for_pruning, { 0: splats, 1: shapes, 3: fates, 4: keys }, grid),
    ]);
    this.#choose(from, before, split, 'split', [
      command(
        device,
        kernels.rank_for_splitting,
        { 0: splats, 2: words(from.strains), 3: fates, 4: keys },
        grid,
      ),
    ]);
    this.#submit('map', [
      command(device, kernels.mark, { 0: fates, 1: kept, 2: halves }, grid),
      ...sums.bind(from.keptRanks, before),
      ...sums.bind(from.splitRanks, before),
      command(
        device,
        kernels.place,
        { 0: fates, 1: kept, 2: halves, 3: words(to.rowMap, after), 4: words(to.partners, split) },
        grid,
      ),
    ]);
  }

  /** Submits what makes two halves of each splat that the map has twice; behind the map. */
  halve({ splats, partners }: SplatBuffers, { split, after }: Densification): void {
    const rows = { buffer: splats, size: SPLAT_BYTES * after };
    const resources = { 0: rows, 1: { buffer: partners, size: 4 * split } };
    this.#submit('split', [command(this.device, this.kernels.halve, resources, gridFor(split))]);
  }

  /** The `wanted` largest keys, which `ranking` writes, get a fate. */
  #choose(
    { keys, keptRanks, fates }: SplatBuffers,
    count: number,
    wanted: number,
    fate: 'prune' | 'split',
    ranking: readonly Command[],
  ): void {
    const { device, kernels, sums } = this;
    const { selection, histogram } = this.picture;
    const words = (buffer: GPUBuffer): GPUBufferBinding => ({ buffer, size: 4 * count });
    const [known, digits] = [{ buffer: selection }, { buffer: histogram }];
    const grid = gridFor(count);
    const resources = { 0: words(keys), 1: known };
    const round = [
      command(device, kernels.count_digits, { ...resources, 2: digits }, grid),
      command(device, kernels.choose_digit, { 1: known, 2: digits }, [1, 1]),
    ];
    device.queue.writeBuffer(selection, 0, Uint32Array.of(0, wanted, 0));
    this.#submit(fate, [
      ...ranking,
      ...Array.from({ length: ROUNDS }, () => round).flat(),
      command(device, kernels.mark_ties, { ...resources, 3: words(keptRanks) }, grid),
      ...sums.bind(keptRanks, count),
      command(device, kernels[fate], { ...resources, 3: words(keptRanks), 4: words(fates) }, grid),
    ]);
  }

  #submit(what: string, commands: readonly Command[]): void {
    const label = `splats ${what}`;
    const encoder = this.device.createCommandEncoder({ label });
    const pass = encoder.beginComputePass({ label });
    dispatch(pass, commands);
    pass.end();
    this.device.queue.submit([encoder.finish()]);
  }
}
