/** Slips in measuring, in the update and in its bindings. */
import { slipsIn } from './slip.js';

export const besideSlips = [
  ...slipsIn(
    'shaders/stages/measure/measure.wgsl',
    ['gpu/measure-alone'],
    [
      [' * WORKGROUPS_ALONE + local_index', ' + local_index'],
      ['share < share_count; share++', 'share < SHARED_COUNT; share++'],
      ['min(WORKGROUP_SIZE, portion.lane_count - first_lane)', 'SHARED_COUNT'],
      ['      own_partials[place] = own;', '      add_own(place, own);\n      add_own(place, own);'],
      ['add_own(place, own_partials[place + half]);', 'add_own(place, own_partials[half]);'],
      ['add_partials(sum.second, added.second)', 'add_partials(sum.second, added.first)'],
      ['store_partial(workgroup, 1u, own_partials[0].second);', ''],
      ['if (all(kinds == vec2<u32>(MEDIUM))) {', 'if (true) {'],
      ['select(MEDIUM, kind_of(sums.second), HAS_SECOND)', 'MEDIUM'],
      ['    sums = Sums();\n', ''],
      ['sum_workgroup(local_index, own.second);', 'sum_workgroup(local_index, own.first);'],
      ['portion.element_count / 4u', 'portion.lane_count', 'gpu/tensor-norms', 'gpu/parity-layout'],
      [', lanes.first, IS_MASKED)', ', lanes.first, false)', 'gpu/tables-run#nor do rules with norms'],
    ],
  ),
  ...slipsIn(
    'src/stages/measure/measure-stage.ts',
    ['gpu/tensor-norms#the norms are the whole', 'gpu/tensor-norms#neighbours'],
    [
      ['chooseGrid(chunk.workgroupCount, ALONE_SHAPE', 'chooseGrid(1, ALONE_SHAPE', 'gpu/measure-alone'],
      ['isCpuAdapter(adapterInfoOf(input.device))', 'true', 'gpu/measure-alone'],
      ['partial += chunk.workgroupCount;', 'partial++;'],
      ['partial_count: partial - firstPartial', 'partial_count: partial'],
      ['first_partial: partial,', 'first_partial: firstPartial,'],
      ['row: row % layout.rowsPerPage', 'row: 0', 'gpu/tensor-norms#lamb: neighbours'],
      ['record: records!.wordOf(index)', 'record: records!.wordOf(plan[0]!.index)'],
      ['PARTIAL_BYTE_LENGTH * quantityCount * partialCount', 'PARTIAL_BYTE_LENGTH * partialCount'],
      ['if (chunks.length !== count) throw otherKernels(nameOf(index));', '', 'gpu/rebind#measured tensor'],
      [
        'if (!measuresAlike(chunk, command.chunk)) throw otherKernels(nameOf(index));',
        '',
        'gpu/rebind#measured tensor',
      ],
      ['command.bindGroup = bindGroup;', 'void bindGroup;', 'gpu/rebind#measures what lies'],
      ['command.layout, chunk, first + k)', 'command.layout, chunk, k)', 'gpu/rebind#measures what lies'],
      [
        'if (slots !== this.#slots || !this.#rowsGroup) {',
        'if (!this.#rowsGroup) {',
        'gpu/ring-growth#one encoder over several',
      ],
      [
        'for (const buffer of [this.#partials, this.#portions, this.#spans]) buffer.destroy();',
        'this.#partials.destroy();',
        'gpu/object-lifetimes#nothing is left behind',
      ],
      [
        '...bytesOf(layout.codecOf(slot), range)',
        '...bytesOf(layout.codecOf(slot), { ...range, element: 0 })',
      ],
    ],
  ),
  ...slipsIn(
    'src/stages/measure/tensor-records.ts',
    ['gpu/tensor-norms#neighbours', 'gpu/tensor-norms#novograd keeps'],
    [
      ['this.#stride * this.#placeOf.get(tensor)!', 'this.#stride * tensor', 'gpu/tensor-norms#neighbours'],
      ['4 * this.#struct.wordOf(field)', '0'],
      [
        'alignUp(this.#struct.byteLength, device.limits.minUniformBufferOffsetAlignment)',
        'this.#struct.byteLength',
      ],
      ['this.buffer.destroy();', '', 'gpu/object-lifetimes#nothing is left behind'],
    ],
  ),
  ...slipsIn(
    'src/stages/update/state-slabs.ts',
    ['gpu/large-shapes#a state that does not', 'gpu/golden#adagrad'],
    [
      ['if (initial !== 0)\n          writeWord', 'if (initial === null)\n          writeWord'],
      [
        'byteOffset: offset,',
        'byteOffset: 0,',
        'gpu/state-dtype#neighbours',
        'gpu/groups-and-accumulation#a group added',
        'gpu/optimizer#resumes from',
      ],
      [
        'for (const slabs of this.#slabsOfSlot.values()) for (const slab of slabs) slab.destroy();',
        '',
        'gpu/object-lifetimes#nothing is left behind',
      ],
      [
        'layout.slots.filter(isElementwise)',
        'layout.slots',
        'gpu/tensor-norms#novograd keeps',
        'gpu/object-lifetimes#nothing is left behind',
      ],
    ],
  ),
  ...slipsIn(
    'src/engine/run/generation.ts',
    ['gpu/rebind#come again'],
    [['expect(planned.flatMap(({ sources }) => sources).length)', 'expect(planned.length)']],
  ),
  ...slipsIn(
    'src/stages/once-per-kind.ts',
    ['gpu/batches#size or dtype'],
    [
      ['value.name : value', "'' : value"],
      [
        "value instanceof Object && 'name' in value ? value.name : value",
        "typeof value === 'number' ? 0 : value",
      ],
    ],
  ),
  ...slipsIn(
    'src/stages/update/update-stage.ts',
    ['gpu/batches#as many tensors', 'gpu/batches#every length at once'],
    [
      ['part.stateStart + (part.state ? part.state.element - state!.element : 0)', 'part.stateStart'],
      ['part.gradBase + gradAhead / unitOf(part.access.grad)', 'part.gradBase', 'gpu/batches#gathered'],
      ["part.access.state === 'vector' ? ahead / 4 : ahead", 'ahead'],
      ['row: part.row % this.input.row.rowsPerPage', 'row: part.row', 'gpu/leaving-out#two batches'],
      ['move.commit();', '', 'gpu/rebind#one after the other'],
      [
        'together: parts.length, shape: shapes[k]! }',
        'together: parts.length, shape: shapes[0]! }',
        'gpu/batches#size or dtype',
      ],
      [
        'for (const [k, bindGroup] of bound) this.#commands[k]!.bindGroup = bindGroup;',
        '',
        'gpu/batches#a new gradient buffer',
      ],
      [
        'return batch.grad ?? part.grad!;',
        'return part.grad ?? batch.grad!;',
        'gpu/control-skip#that are gathered',
      ],
      [
        '...bytesOf(layout.codecOf(name), range)',
        '...bytesOf(layout.codecOf(name), { ...range, element: 0 })',
      ],
      ['this.#segments.destroy();', '', 'gpu/object-lifetimes#nothing is left behind'],
    ],
  ),
  ...slipsIn(
    'src/stages/update/check-bindings.ts',
    ['gpu/loops-and-bounds#what fits steps', 'gpu/loops-and-bounds#a table, whose rows'],
    [
      ['if (bindingCount <= limit) return;', 'if (bindingCount <= limit + 1) return;'],
      ['...(isListed && { isListed }),', ''],
      ["tensors[0]?.grad ? 'read' : 'none'", "'none'"],
    ],
  ),
  ...slipsIn(
    'src/gpu/copies/fill-ranges.ts',
    ['gpu/state-in-hand', 'gpu/map-rows#what starts'],
    [
      ['done += block.byteLength', 'done += 2 * block.byteLength', 'gpu/large-shapes#a state that does not'],
      ['byteOffset + done, block', 'byteOffset, block', 'gpu/large-shapes#a state that does not'],
      ['if (isZero) encoder', 'if (words) encoder'],
      ['k * words.length', '0', 'gpu/state-dtype-calls#what does not start'],
    ],
  ),
];
