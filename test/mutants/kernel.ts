/** Slips in what makes WGSL and rows of numbers of a rule, and in how elements lie in memory. */
import { slipsIn } from './slip.js';

export const kernelSlips = [
  ...slipsIn(
    'src/codecs/f32.ts',
    ['unit/kernel', 'gpu/batches#every length at once'],
    [
      ["(access === 'vector' ? 16 : 4)", "(access === 'vector' ? 4 : 16)"],
      ['let last = first + at.valid - 1u;', 'let last = first + at.valid;'],
      ['if (at.valid > 2u) {', 'if (at.valid > 3u) {'],
      [
        'new Uint8Array(values.buffer, values.byteOffset, values.byteLength)',
        'new Uint8Array(values.buffer)',
        'gpu/state-dict-trust#arrays of another realm',
      ],
    ],
  ),
  ...slipsIn(
    'src/kernel/alignment.ts',
    ['unit/row', 'unit/row-ring', 'unit/plan'],
    [['alignDown(value + alignment - 1, alignment)', 'alignDown(value + alignment, alignment)']],
  ),
  ...slipsIn(
    'src/kernel/structs.ts',
    ['unit/row'],
    [
      ['alignUp(4 * Object.keys(fields).length, 16)', '4 * Object.keys(fields).length'],
      ["if (fields[field] === 'u32') view.u32[word]", 'if (fields[field]) view.f32[word]'],
      [
        'u32: new Uint32Array(buffer, byteOffset, byteLength / 4)',
        'u32: new Uint32Array(buffer, byteOffset)',
      ],
      ['const word = firstWord + indexOf.get(field)!;', 'const word = indexOf.get(field)!;'],
      ['byteLength / 4 - names.length }', 'byteLength / 4 - names.length - 1 }'],
    ],
  ),
  ...slipsIn(
    'src/kernel/row.ts',
    ['unit/row', 'unit/row-ring', 'gpu/control-stage'],
    [
      [
        'row.corrections.map((name) => rateOf.get(name) ?? NO_RATE)',
        'corrections.map(({ rate }) => rate)',
        'gpu/muon-others#counts that are written',
      ],
      ['if (!names.includes(name)) fields[name]', 'fields[name]'],
      ["{ is_active: 'u32', t_count: 'u32' }", "{ t_count: 'u32', is_active: 'u32' }"],
      ['2 ** Math.ceil(Math.log2(4 * Object.keys(fields).length))', '4 * Object.keys(fields).length'],
      ['Math.ceil(rowCapacity / row.rowsPerPage)', 'Math.floor(rowCapacity / row.rowsPerPage)'],
      ['RATE_BYTE_LENGTH * row.corrections.length * rowCapacity', 'RATE_BYTE_LENGTH * rowCapacity'],
      ['const rows = controlled ? SETTINGS_BYTE_LENGTH : 0;', 'const rows = SETTINGS_BYTE_LENGTH;'],
      ['struct.byteLength * (row % rowsPerPage)', 'struct.byteLength * row'],
      ['slot.rows + pageByteLength * Math.floor', 'pageByteLength * Math.floor'],
    ],
  ),
  ...slipsIn(
    'src/kernel/rule-layout.ts',
    ['unit/rule-layout', 'unit/kernel', 'unit/step-scalars'],
    [
      ["weightDecayMode === 'decoupled' ? lr * weightDecay : weightDecay", 'weightDecay'],
      ["decays('decoupled', 'raw') && !decaysWeight", "decays('decoupled', 'raw')"],
      ["decays('decoupled', 'raw') && !decaysWeight", "decays('decoupled') && !decaysWeight"],
      ['weightDecay > 0 && modes', 'modes'],
      ['initial: initial?.(options) ?? 0', 'initial: 0'],
      ['usedBy?.(options) ?? true', 'true'],
      ['return [...ofRule, ...ofAverages];', 'return [...ofAverages, ...ofRule];'],
      ['return Object.assign(scalars, averageScalars);', 'return scalars;'],
      ['layouts.set(rule, layout);', ''],
      ['...ofTensors, ...(tensor?.values ?? [])', '...(tensor?.values ?? []), ...ofTensors'],
      ['tensor.reads.includes(name) ||', 'true ||'],
      ['rejectClashes(rule, masters);', '', 'unit/define-rule'],
      ['product *= beta * (1 - damping ** ++i / 2)', 'product *= beta * (1 - damping ** i++ / 2)'],
      ['return 1 - product * powerOf(beta, t - i);', 'return 1 - product;'],
    ],
  ),
  ...slipsIn(
    'src/kernel/shape.ts',
    ['unit/kernel', 'unit/bench-cases'],
    [
      ['return [Math.ceil(workgroupCount / y), y];', 'return [Math.floor(workgroupCount / y), y];'],
      [
        'const y = Math.ceil(workgroupCount / maxPerDimension);',
        'const y = Math.floor(workgroupCount / maxPerDimension) || 1;',
      ],
      ['if (workgroupCount() <= 1)', 'if (workgroupCount() < 1)'],
      ['if (info?.isFallbackAdapter === true) return true;', ''],
    ],
  ),
  ...slipsIn(
    'src/kernel/step-rows.ts',
    ['unit/kernel', 'gpu/tables'],
    [
      ['min(4u, segment.element_count - 4u * i)', '4u', 'unit/kernel', 'gpu/batches#every length at once'],
      [
        'min(4u, ROW_LENGTH - 4u * within)',
        '4u',
        'unit/kernel',
        'gpu/row-sums',
        'gpu/sparse#random rows, rows of 5',
      ],
    ],
  ),
  ...slipsIn(
    'src/kernel/step-kernel.ts',
    ['unit/kernel', 'gpu/parity-layout', 'gpu/batches'],
    [
      ["if (gradBinding === 'gathered' && tensor > 0) continue;", ''],
      ["gradBinding === 'read_write' ? 'storage' : 'read-only-storage'", "'read-only-storage'"],
      [
        'minBindingSize: segmentsByteLength(access, together)',
        'minBindingSize: segmentsByteLength(access, 1)',
      ],
      ['CLAMP_GRADIENT: Number(isClamped)', 'CLAMP_GRADIENT: 0', 'unit/kernel', 'gpu/control#GradValue'],
      ['(slot) => `  store_${slot}(at, ${slot});\\n`', '(slot) => `  store_${slot}(at, lane(0.0));\\n`'],
      ["gradBinding === 'none' ? '  return lane(0.0);' : gradCodec.load(ofGrad)", 'gradCodec.load(ofGrad)'],
      ['load_grad_${k}(${gradAt})', 'load_grad_${k}(at)', 'gpu/sparse#random rows, rows of 5'],
    ],
  ),
  ...slipsIn(
    'src/kernel/compose-rule.ts',
    ['unit/kernel', 'gpu/groups-and-accumulation#groups added at once'],
    [
      ['h = page[row];', 'h = page[0];'],
      ['  return h.is_active != 0u;', '  return true;', 'unit/kernel', 'gpu/control-skip#changes no byte'],
      ['`  prepare_${name}();\\n`', "''", 'unit/kernel', 'gpu/averages#counter'],
      [
        'average_${name}(before, w);',
        'average_${name}(w, w);',
        'unit/kernel',
        'gpu/averages#counter',
        'gpu/averages',
      ],
      [
        'hasDynamicOffset: true, minBindingSize: struct.byteLength * rowsPerPage',
        'hasDynamicOffset: true, minBindingSize: struct.byteLength',
        'unit/kernel',
        'gpu/averages',
        'unit/row',
      ],
    ],
  ),
];
