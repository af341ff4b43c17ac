/** Slips in the face of the optimizer, and in who uses it. */
import { slipsIn } from './slip.js';

export const callSlips = [
  ...slipsIn(
    'src/engine/optimizer.ts',
    ['gpu/evaluation-averages#taken meanwhile'],
    [
      ["session.rejectDestroyedArenas(parameters, 'rebind()');", 'false;', 'gpu/arena#left by rebind'],
      ['await noticeLostDevice(device);', '', 'gpu/bad-input#a lost device', 'gpu/device-loss'],
      ['checkKernelLimits(device, resolved.kernel);', '', 'gpu/kernel-shape'],
      ["this.#session.guard.check('lr =');", '', 'gpu/device-loss#is the end of every call'],
      ["this.#session.guard.check('gradScale =');", '', 'gpu/device-loss#is the end of every call'],
      [
        'checkGradScale(gradScale, this.#session.config.gradients.lossScale)',
        'checkGradScale(gradScale)',
        'gpu/control#bad gradient options',
      ],
      [
        'this.#encode(passIn(encoder, writes), inputs, undefined, skipped);',
        'this.#encode(passIn(encoder, writes), inputs, encoder, skipped);',
        'gpu/object-lifetimes#with the number of changes: eval and train',
      ],
      ['if (!isPass) checkEncoder(', 'if (!target) checkEncoder(', 'gpu/bad-input', 'gpu/without-globals'],
      [
        "this.#nextInputs('encode()'), target, skipped);",
        "this.#nextInputs('encode()'), undefined, skipped);",
        'gpu/optimizer#encode uses the lr',
        'gpu/optimizer#encoders submitted',
      ],
      ['this.#session.log.add(inputs);', '', 'gpu/optimizer#a schedule is asked'],
      [
        'if (!this.#session.guard.destroy()) return;',
        'this.#session.guard.destroy();',
        'gpu/optimizer#destroy frees',
        'gpu/device-loss#is the end',
      ],
      [
        'return guard.whileAsking(call, () => log.next(this.#run.parts, this.#gradScale));',
        'return log.next(this.#run.parts, this.#gradScale);',
        'gpu/plain-words#schedules that call back',
      ],
      [
        'log.next(this.#run.parts, this.#gradScale)',
        'log.next(this.#run.parts, 1)',
        'gpu/control#a fixed loss scale',
        'gpu/groups-and-accumulation#micro-batches',
      ],
      [
        'if (replacements.length === 0) return;',
        '',
        'gpu/rebind#are followed',
        'gpu/object-lifetimes#nothing grows',
        'gpu/optimizer#a step makes no',
      ],
      [
        'undoClaim();\n      throw error;',
        'throw error;',
        'gpu/rebind#is refused',
        'gpu/batches#are refused',
      ],
      ['if (isInArena || guard.arenas.length > 0) ', 'if (isInArena) ', 'gpu/arena#left by rebind'],
      [
        'if (isInArena || guard.arenas.length > 0) ',
        'if (guard.arenas.length > 0) ',
        'gpu/arena#left by rebind',
      ],
      ["this.#session.guard.checkTraining('step()');", "this.#session.guard.check('step()');"],
      ["this.#session.guard.checkTraining('stateDict()');", "this.#session.guard.check('stateDict()');"],
      ["guard.checkTraining('loadStateDict()');", "guard.check('loadStateDict()');"],
      [
        "this.#session.guard.checkTraining('addGroupSync()');",
        "this.#session.guard.check('addGroupSync()');",
      ],
      [
        'if (!this.#gradients.areAccumulated) {',
        'if (!this.#gradients) {',
        'gpu/groups-and-accumulation#refused where',
      ],
      ['|| this.#reportCount >= MOST_REPORTS) return;', ') return;', 'gpu/control#onStep hears'],
      ['this.#reportCount++;\n', '', 'gpu/control#onStep hears'],
      [
        'guard, () => this.#reportCount--',
        'guard, () => undefined',
        'gpu/control#onStep hears',
        'gpu/snapshots#while onStep',
      ],
      [
        'session.guard.failWith(checked);',
        '',
        'gpu/sync#memory that',
        'gpu/shortage-creation#at once says so',
      ],
      [
        'run.destroy();\n      throw error;',
        'throw error;',
        'gpu/object-lifetimes#a creation that is refused',
      ],
      [
        'this.#run.destroy();',
        '',
        'gpu/optimizer#destroy frees',
        'gpu/object-lifetimes#nothing is left behind',
      ],
      [
        'this.#evaluating.destroy();',
        '',
        'gpu/optimizer#destroy frees',
        'gpu/object-lifetimes#nothing is left',
        'gpu/evaluation-averages',
      ],
      [
        'this.#reader.destroy();',
        '',
        'gpu/optimizer#destroy frees',
        'gpu/object-lifetimes#nothing is left behind',
      ],
      [
        'return this.#session.guard.settle(call, pending);',
        'return pending;',
        'gpu/device-loss',
        'gpu/pending-readings',
      ],
    ],
  ),
  ...slipsIn(
    'src/engine/session.ts',
    ['gpu/shortage#that finds no memory'],
    [
      ['this.names.rejectTaken(parameters.map(({ name }) => name));', '', 'gpu/bad-input#create refuses'],
      ['this.occupancy.claim(parameters);', '', 'gpu/bad-input#create refuses'],
      [
        "if (met) throw refusalError(this.device, met, 'the optimizer could not make what it needs', REMEDIES);",
        '',
      ],
      ['this.guard.failWith(check());', 'void check();'],
      [
        'onFine?.();',
        '',
        'gpu/optimizer#a step makes no',
        'gpu/evaluation-averages',
        'gpu/ring-growth#steps on one',
      ],
      [
        'this.refreshArenas();\n  }\n\n  /** The arenas',
        '}\n\n  /** The arenas',
        'gpu/arena#nothing of a destroyed',
      ],
      ['[...data, ...grad].map', 'data.map', 'gpu/arena#nothing of a destroyed'],
    ],
  ),
];
