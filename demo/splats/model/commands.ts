import { type Command, type Kernel, command, gridFor } from '../../shared/kernels.js';
import binWgsl from '../shaders/bin.wgsl?raw';
import gradientsWgsl from '../shaders/gradients.wgsl?raw';
import lossWgsl from '../shaders/loss.wgsl?raw';
import renderWgsl from '../shaders/render.wgsl?raw';
import splatWgsl from '../shaders/splat.wgsl?raw';
import type { PictureBuffers, SplatBuffers } from './buffers.js';
import { compile } from './compile.js';
import { GRADIENT_BYTES } from './fields.js';
import { SPLAT_BYTES, type SplatPlan } from './plan.js';
import type { PrefixSums } from './scan.js';

/** The prepared dispatches of a step, for as many splats as there are. */
export interface StepCommands {
  /** Which splats each tile sees, the picture, the loss. */
  readonly forward: readonly Command[];
  /** Behind it, the splats' gradients. */
  readonly backward: readonly Command[];
}

/** Binds the kernels of a step; compiled once, bound anew whenever the number of splats changes. */
export class StepBinder {
  private constructor(
    private readonly device: GPUDevice,
    private readonly kernels: Readonly<
      Record<'shape' | 'fill' | 'render' | 'tiles' | 'loss' | 'gather', Kernel>
    >,
    private readonly sums: PrefixSums,
    private readonly plan: SplatPlan,
    private readonly picture: PictureBuffers,
  ) {}

  /** Compiles the kernels. */
  static async create(
    device: GPUDevice,
    sums: PrefixSums,
    plan: SplatPlan,
    picture: PictureBuffers,
  ): Promise<StepBinder> {
    const [shape, fill, render, tiles, loss, gather] = await Promise.all([
      compile(device, 'shape_splats', [splatWgsl, binWgsl]),
      compile(device, 'fill', [splatWgsl, binWgsl]),
      compile(device, 'render', [splatWgsl, renderWgsl]),
      compile(device, 'sum_tiles', [splatWgsl, lossWgsl]),
      compile(device, 'loss', [splatWgsl, lossWgsl]),
      compile(device, 'gather', [splatWgsl, gradientsWgsl]),
    ]);
    return new StepBinder(device, { shape, fill, render, tiles, loss, gather }, sums, plan, picture);
  }

  /** The commands for the first `count` splats. */
  bind(buffers: SplatBuffers, count: number): StepCommands {
    const { device, kernels, plan } = this;
    const { frame, photo, picture, derivatives, tileEnds, errors, tileErrors, losses } = this.picture;
    const splats = { buffer: buffers.splats, size: SPLAT_BYTES * count };
    const shapes = { buffer: buffers.shapes, size: SPLAT_BYTES * count };
    const gradients = { buffer: buffers.gradients, size: GRADIENT_BYTES * count };
    const strains = { buffer: buffers.strains, size: 4 * count };
    const [uniform, ends, entries] = [frame, tileEnds, buffers.entries].map((buffer) => ({ buffer }));
    const whole = (buffer: GPUBuffer): GPUBufferBinding => ({ buffer });
    const perSplat = gridFor(count);
    const tileCount = plan.tiles[0] * plan.tiles[1];
    return {
      forward: [
        command(device, kernels.shape, { 0: uniform!, 1: splats, 2: shapes, 3: ends! }, perSplat),
        ...this.sums.bind(tileEnds, tileCount),
        command(device, kernels.fill, { 0: uniform!, 2: shapes, 3: ends!, 4: entries! }, perSplat),
        command(
          device,
          kernels.render,
          {
            0: uniform!,
            1: shapes,
            2: ends!,
            3: entries!,
            4: whole(photo),
            5: whole(picture),
            6: whole(derivatives),
            7: whole(errors),
          },
          plan.tiles,
        ),
        command(device, kernels.tiles, { 1: whole(errors), 2: whole(tileErrors) }, gridFor(tileCount)),
        command(device, kernels.loss, { 0: uniform!, 2: whole(tileErrors), 3: whole(losses) }, [1, 1]),
      ],
      backward: [
        command(
          device,
          kernels.gather,
          { 0: uniform!, 1: splats, 2: shapes, 3: whole(derivatives), 4: gradients, 5: strains },
          perSplat,
        ),
      ],
    };
  }
}
