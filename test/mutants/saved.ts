/** Slips in state dicts, and in who may use an optimizer when. */
import { slipsIn } from './slip.js';

export const savedSlips = [
  ...slipsIn(
    'src/engine/saved/check.ts',
    ['unit/state-dict'],
    [
      ['(value as number) >= 0 && (value as number) <= most', '(value as number) <= most'],
      ['(value as number) >= 0 && (value as number) <= most', '(value as number) >= 0'],
      ['if (missing.length === 0 && extra.length === 0) return;', 'if (missing.length === 0) return;'],
      ['if (missing.length === 0 && extra.length === 0) return;', 'if (extra.length === 0) return;'],
    ],
  ),
  ...slipsIn(
    'src/engine/saved/check-state-dict.ts',
    ['unit/state-dict'],
    [
      ["copyRecord(dict, 'the state dict')", 'dict as Record<string, unknown>'],
      ["if (given['rule'] !== ruleName) {", "if (typeof given['rule'] !== 'string') {"],
      ['step + (control?.skipped ?? 0)', 'step'],
      ["sameKeys(given, [...CONTROL_COUNTS, 'lossScale'], 'control');", ''],
      ['for (const key of CONTROL_COUNTS) checkCount(given[key], `control.${key}`);', ''],
      ['![lossScale, 1 / lossScale].every(fitsFloat32)', '!fitsFloat32(lossScale)'],
      ['|| saved.length !== groups.length) {', ') {'],
      ['params.length === group.params.length &&', ''],
      [
        'group.params.every((name, k) => params[k] === name)',
        'group.params.every((name) => params.includes(name))',
      ],
      ['checkCount(joinedAt, `${what}.joinedAt`, step)', 'checkCount(joinedAt, `${what}.joinedAt`)'],
      ['() => step - joined);', '() => step);'],
      ['if (joinedAt !== undefined) {', 'if (joinedAt === null) {'],
      ['|| steps.length !== parameterCount) {', ') {'],
      ['checkCount(count, `${what}.steps[${k}]`, step)', 'checkCount(count, `${what}.steps[${k}]`)'],
      ['return given as unknown as SavedControl;', 'return control as unknown as SavedControl;'],
    ],
  ),
  ...slipsIn(
    'src/engine/saved/check-options.ts',
    ['unit/state-dict', 'gpu/optimizer#resumes from'],
    [
      ['group.isScheduled || lr === undefined ? options : saved', 'saved'],
      ['group.isScheduled || lr === undefined ? options : saved', 'options'],
      ['if (reasons.length === 0) return rule;', 'if (rule) return rule;'],
    ],
  ),
  ...slipsIn(
    'src/engine/saved/check-values.ts',
    ['unit/state-dict'],
    [
      ['slot.perTensor ? 1 : elementCount', 'elementCount'],
      ['Float32Array.from(given as Float64Array) : given', 'given : given'],
      ['|| !FLOAT_VIEWS.includes(tagOf(view))', ''],
      ['byteLength !== BYTES_PER_VALUE * valueCount', 'byteLength < BYTES_PER_VALUE * valueCount'],
      ['&& byteOffset % BYTES_PER_VALUE === 0', ''],
      ["if (tagOf(buffer) === '[object ArrayBuffer]' &&", 'if ('],
      ['new Uint8Array(buffer, byteOffset, byteLength)', 'new Uint8Array(buffer, 0, byteLength)'],
      [
        'new Float32Array(buffer as ArrayBuffer, byteOffset, valueCount)',
        'new Float32Array(buffer as ArrayBuffer, 0, valueCount)',
      ],
      ['given,\n    groups.flatMap(({ params }) => params),', 'given,\n    groups[0]!.params,'],
    ],
  ),
  ...slipsIn(
    'src/engine/saved/restore-schedules.ts',
    ['unit/state-dict'],
    [
      ['undoes.push(() => lr.loadState(before));', ''],
      ['undo();\n    throw error;', 'throw error;'],
      ['const before = lr.state();', 'const before = schedule!;'],
      ['if (schedule === undefined) {', 'if (schedule === null) {'],
    ],
  ),
  ...slipsIn(
    'src/engine/saved/state-dict.ts',
    ['unit/state-dict', 'gpu/optimizer#reduceOnPlateau'],
    [
      ['Array.isArray(value) ? [...(value as unknown[])] : value', 'value'],
      ['lr: group.lr,', ''],
      ['...(isStatefulSchedule(lr) && { schedule: lr.state() }),', ''],
      ['params: [...group.params],', 'params: group.params as string[],'],
      ['joinedAt: step - first', 'joinedAt: first'],
      ['counts.some((count) => count !== first)', 'counts.some((count) => count < first)'],
    ],
  ),
  ...slipsIn(
    'src/engine/guard.ts',
    ['unit/guard'],
    [
      ['if (this.#isDestroyed) throw destroyedError(call);\n    reject', 'reject'],
      ['rejectDestroyedArena(this.arenas, call);', '', 'gpu/arena#nothing of a destroyed'],
      ['rejectLostDevice(this.device);', ''],
      ['if (this.#failure) throw this.#failure;', ''],
      ['this.#rejectFromSchedule(call);\n  }\n\n  /** As', '}\n\n  /** As'],
      ['if (!this.isEvaluating) return;', 'return;'],
      ['} finally {\n      this.#asking = undefined;\n    }', '} finally {\n    }'],
      ['(this.#failure ??= failure)', '(this.#failure = failure)'],
      ['this.#isDestroyed && !(error instanceof OptimizerError)', '!(error instanceof OptimizerError)'],
      ['this.#isDestroyed && !(error instanceof OptimizerError)', 'this.#isDestroyed'],
      ["this.#rejectFromSchedule('destroy()');", ''],
      ['const isFirst = !this.#isDestroyed;', 'const isFirst = true;'],
      ['return settleOrLose(this.device, explained);', 'return explained;'],
      [
        'this.#isDestroyed || this.#failure !== undefined || isDeviceLost',
        'this.#isDestroyed || isDeviceLost',
      ],
    ],
  ),
  ...slipsIn(
    'src/engine/stats.ts',
    ['unit/guard'],
    [
      ['} finally {\n      done();\n    }', '} finally {\n    }'],
      ['if (!guard.isOver) reportListenerError(error);', 'reportListenerError(error);'],
      ["typeof globalThis.reportError === 'function'", 'globalThis.reportError !== null'],
    ],
  ),
  ...slipsIn(
    'src/engine/parameter-group.ts',
    ['unit/state-dict', 'gpu/plain-words#create', 'gpu/optimizer#a schedule is asked'],
    [
      ["this.#host.check('lr =');", ''],
      ['Object.freeze([...params])', 'params'],
      ['if (lr === undefined)', 'if (lr === null)'],
      ['this.#host.currentStep()', '0'],
    ],
  ),
];
