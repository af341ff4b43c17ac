import { type Command, type Kernel, command } from '../../shared/kernels.js';
import scanWgsl from '../shaders/scan.wgsl?raw';
import { compile } from './compile.js';

/** Words of a block, as shaders/scan.wgsl has it. */
const BLOCK = 1024;

/** Makes prefix sums of buffers of words, where they lie. */
export class PrefixSums {
  private constructor(
    private readonly device: GPUDevice,
    private readonly kernels: { readonly scan: Kernel; readonly add: Kernel },
    /** Sums of blocks, of blocks of these, and so on. */
    private readonly levels: readonly GPUBuffer[],
  ) {}

  /**
   * For buffers of up to `most` words.
   *
   * @param made gets what is to be destroyed.
   */
  static async create(device: GPUDevice, most: number, made: GPUBuffer[]): Promise<PrefixSums> {
    const levels: GPUBuffer[] = [];
    for (let count = most; levels.length === 0 || count > 1; count = Math.ceil(count / BLOCK)) {
      levels.push(
        device.createBuffer({
          label: `splats block sums ${levels.length}`,
          size: 4 * Math.ceil(count / BLOCK),
          usage: GPUBufferUsage.STORAGE,
        }),
      );
    }
    made.push(...levels);
    const [scan, add] = await Promise.all([
      compile(device, 'scan_blocks', [scanWgsl]),
      compile(device, 'add_before', [scanWgsl]),
    ]);
    return new PrefixSums(device, { scan, add }, levels);
  }

  /** What turns the first `count` words of a buffer into their prefix sums. */
  bind(buffer: GPUBuffer, count: number, level = 0): Command[] {
    const { device, kernels } = this;
    const words = { buffer, size: 4 * count };
    const blocks = Math.ceil(count / BLOCK);
    const sums = this.levels[level]!;
    const resources = { 0: words, 1: { buffer: sums } };
    const scan = command(device, kernels.scan, resources, [blocks, 1]);
    if (blocks === 1) return [scan];
    return [
      scan,
      ...this.bind(sums, blocks, level + 1),
      command(device, kernels.add, resources, [blocks, 1]),
    ];
  }
}
