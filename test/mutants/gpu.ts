/** Slips in what WebGPU needs whatever is computed: devices, error scopes, pipelines, bind groups, read-back. */
import { slipsIn } from './slip.js';

export const gpuSlips = [
  ...slipsIn(
    'src/gpu/array-lengths.ts',
    ['unit/array-lengths'],
    [
      ['[^]*?', '[^]*'],
      ['if (names.length === 0) return code;', ''],
      ['== 0u) {', '== 1u) {'],
    ],
  ),
  ...slipsIn(
    'src/gpu/bind-groups.ts',
    ['unit/bind-groups'],
    [
      ['this.#root.follow(owner)', 'this.#root'],
      ['!haveSameRanges(known.resources, resources)', 'known.resources.length !== resources.length'],
      ['|| a[k]!.size !== b[k]!.size', ''],
      ['KEPT_PER_USE * count', 'count'],
      ['this.#count++ >= this.#limit', 'this.#count++ > this.#limit'],
      ['this.#count++ >= this.#limit', 'this.#count >= this.#limit'],
      ['node.known.set(key, { resources, bindGroup });', ''],
      ['this.#root = new Node();\n      this.#count = 0;', 'this.#root = new Node();'],
    ],
  ),
  ...slipsIn(
    'src/gpu/commands.ts',
    ['unit/guard', 'gpu/bad-input'],
    [
      ['METHODS.every((method)', 'METHODS.some((method)'],
      ['checkEncoder(encoder, call);\n    encode', 'encode'],
      ['encode(encoder);\n    return;', 'encode(encoder);'],
    ],
  ),
  ...slipsIn(
    'src/gpu/device.ts',
    ['unit/guard', 'gpu/device-loss', 'gpu/readback'],
    [
      ["typeof device.queue?.submit === 'function' &&", ''],
      ['status.lost = info;', ''],
      ['for (const listener of status.listeners) listener(lostError(info));', ''],
      ['  watch(device);\n  // The promise', '  // The promise'],
      ['await Promise.resolve();\n  rejectLostDevice(device);', 'rejectLostDevice(device);'],
      ['if (error instanceof OptimizerError) throw error;', ''],
      ['if (status.lost) setTimeout(reject, LOSS_GRACE_MS, lostError(status.lost));', ''],
      ['status.listeners.add(reject);', ''],
      ['statusOfDevice.set(device, status);', ''],
    ],
  ),
  ...slipsIn(
    'src/gpu/refusal.ts',
    ['unit/guard', 'gpu/device-loss', 'gpu/readback'],
    [
      [
        "error.constructor.name === 'GPUOutOfMemoryError'",
        'false',
        'gpu/shortage-creation#says so whichever buffer is missing, and leaves nothing (plain)',
      ],
      [
        "device.pushErrorScope('out-of-memory');\n  device.pushErrorScope('validation');",
        "device.pushErrorScope('validation');\n  device.pushErrorScope('validation');",
        'gpu/shortage-creation#says so whichever buffer is missing, and leaves nothing (plain)',
      ],
      ['errors.find((error) => error !== null)', 'errors[0]', 'gpu/bad-input#of another device'],
      [
        'refusal.catch(() => undefined);\n  return { value, refusal };',
        'return { value, refusal };',
        'gpu/device-loss',
      ],
      [
        'askedByteLength() - before',
        'askedByteLength()',
        'gpu/shortage-creation#says so whichever buffer is missing, and leaves nothing (plain)',
      ],
      [
        'isShortage\n    ? new',
        '!isShortage\n    ? new',
        'gpu/shortage-creation#says so whichever buffer is missing, and leaves nothing (plain)',
      ],
      ['await rejectIfLostSoon(device);', '', 'gpu/loss-in-calls'],
      ['if (!refusal.isShortage) await', 'if (refusal.isShortage) await', 'unit/refusal'],
    ],
  ),
  ...slipsIn(
    'src/gpu/arena-buffers.ts',
    ['unit/runs'],
    [
      [
        'known?.ends.has(end) ? known.padding : 0',
        'known ? known.padding : 0',
        'unit/runs',
        'unit/arena',
        'gpu/arena',
      ],
      ['if (!isDestroyed) continue;', 'if (isDestroyed) continue;'],
      ['if (known) found.add(known.about);', ''],
    ],
  ),
  ...slipsIn(
    'src/gpu/check-buffers.ts',
    ['gpu/batches#a buffer that the device rejects', 'gpu/bad-input#of another device'],
    [
      [
        'if (message !== undefined) return { owner, message };',
        'return message === undefined ? undefined : { owner, message };',
      ],
      [
        'if (!refusal) seen.set(buffer, (refusal = submitAlone(device, buffer)));',
        'if (!refusal) seen.set(buffer, (refusal = Promise.resolve(undefined)));',
      ],
    ],
  ),
  ...slipsIn(
    'src/gpu/pipelines.ts',
    ['gpu/optimizer#kernels compile once', 'gpu/kernel-shape', 'gpu/loops-and-bounds#broken WGSL'],
    [
      [
        'JSON.stringify([source.constants, source.bindGroups, source.entryPoint])',
        'JSON.stringify([source.constants, source.bindGroups])',
        'gpu/row-sums',
      ],
      [
        'JSON.stringify([source.constants, source.bindGroups, source.entryPoint])',
        'JSON.stringify([source.bindGroups, source.entryPoint])',
      ],
      ['pipelines.set(key, entry);', ''],
      ['(pipeline) => (entry.usable = pipeline),', '() => undefined,'],
      [
        'if (!(pipeline instanceof Error) && !error) return pipeline;',
        'if (!(pipeline instanceof Error)) return pipeline;',
        'gpu/loops-and-bounds#broken WGSL',
      ],
      ['() => pipelines.get(key) === entry && pipelines.delete(key),', '() => undefined,'],
      ['remember(pipelines, key, { checked, usable });', ''],
    ],
  ),
  ...slipsIn(
    'src/gpu/copies/readback.ts',
    ['gpu/readback', 'gpu/snapshots', 'gpu/pending-readings'],
    [
      ['rejectUnreadable(ranges, what);', ''],
      ['if (byteLength === 0) return results;', ''],
      [
        'this.device.queue.submit([encoder.finish()]);',
        'void Promise.resolve().then(() => this.device.queue.submit([encoder.finish()]));',
      ],
      ['isSmall ? SMALL_BYTE_LENGTH : Math.min', 'Math.min'],
      ['if (k > 0) await mapNext(staging, left);', ''],
      [
        'sink.write(staging.getMappedRange(0, size));\n      staging.unmap();',
        'sink.write(staging.getMappedRange(0, size));',
      ],
      ['if (staging.size > SMALL_BYTE_LENGTH) staging.destroy();', ''],
      ['isWhole &&\n        !this.#isDestroyed', '!this.#isDestroyed'],
      ['!this.#isDestroyed &&', ''],
      ['this.#free.length < KEPT_STAGINGS', 'this.#free.length < 1000'],
      ['for (const staging of this.#free.splice(0)) staging.destroy();', ''],
      ['this.#position += size;', ''],
      ['this.#index++;\n      this.#position = 0;', 'this.#index++;'],
      ['new Uint8Array(bytes, done, size)', 'new Uint8Array(bytes, 0, size)'],
      ['if (met) throw', 'if (met === null) throw'],
      [
        'if (isKept) this.#free.push(staging);\n      else staging.destroy();',
        'if (isKept) this.#free.push(staging);',
      ],
    ],
  ),
  ...slipsIn(
    'src/gpu/copies/gather-copies.ts',
    ['gpu/readback', 'gpu/snapshots', 'gpu/pending-readings'],
    [
      ['if (!buffer || position === buffer.size) {', 'if (!buffer) {'],
      ['position = 0;\n      }', '}'],
      ['range.byteOffset + done, buffer', 'range.byteOffset, buffer'],
      ['position += size;\n      left', 'left'],
      ['last.byteOffset + last.byteLength === range.byteOffset) {', 'last.byteOffset <= range.byteOffset) {'],
      ['if (last && last.buffer === range.buffer && last', 'if (last && last'],
      ['byteOffset: range.byteOffset + done', 'byteOffset: range.byteOffset', 'gpu/checkpoint-large'],
      ['room -= size;', '', 'gpu/checkpoint-large'],
    ],
  ),
  ...slipsIn(
    'src/gpu/copies/staging-ring.ts',
    ['gpu/checkpoint-large'],
    [
      ['position += range.byteLength;', ''],
      ['free.push(staging);', ''],
      ['getMappedRange(0, byteLength).slice(0)', 'getMappedRange(0, byteLength)'],
      ['for (const staging of stagings) staging.destroy();', ''],
      ['if (filling.length === STAGING_COUNT) yield', 'if (filling.length > 1000) yield'],
    ],
  ),
];
