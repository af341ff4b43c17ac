import { slipsIn } from './slip.js';

const rounds = ['unit/fleet-rounds', 'unit/fleet-leaving', 'unit/fleet-memory', 'unit/fleet-random'];

export const fleetSlips = [
  ...slipsIn(
    'src/fleet/screen.ts',
    ['unit/fleet-screen'],
    [
      ['const FEWEST_COMPARED = 3;', 'const FEWEST_COMPARED = 2;'],
      ['if (!Number.isFinite(norm))', 'if (norm === Infinity)'],
      ['if (!(samples > 0 && samples < Infinity))', 'if (!(samples >= 0 && samples < Infinity))'],
      ['median === 0 || norm <=', 'norm <='],
      ['norm <= normFactor * median', 'norm < normFactor * median'],
      ['sorted[Math.ceil(half) - 1]! / 2', 'sorted[Math.floor(half)]! / 2'],
      ['  while (\n', '  if (\n'],
      ['normFactor > 1 && normFactor < Infinity', 'normFactor > 1'],
      ['  let taken = sortedByPeer(list);', '  let taken = [...list];'],
      ['taken.filter((other) => other !== delta)', 'taken'],
    ],
  ),
  ...slipsIn('src/fleet/names.ts', ['unit/fleet-leaving'], [['{1,64}$/u', '{1,64}/u']]),
  ...slipsIn(
    'src/fleet/options.ts',
    ['unit/fleet-leaving'],
    [
      ['value > 0 && value <= LONGEST_SECONDS', 'value > 0'],
      ['Number.isSafeInteger(value) && value >= least', 'value >= least'],
      ["rejectUnknownKeys(given, KNOWN, 'joinFleet', 'invalid-option');", ''],
    ],
  ),
  ...slipsIn('src/fleet/bell.ts', rounds, [
    ['    (this.#resolve as (() => void) | undefined)?.();', '    if (this.#resolve === undefined) return;'],
  ]),
  ...slipsIn('src/fleet/deadline.ts', rounds, [
    ['clearTimeout(this.#timer);', ''],
    ['      this.#hasPassed = true;', ''],
  ]),
  ...slipsIn('src/fleet/membership.ts', rounds, [
    ['if (members.join() === this.#members) return;', ''],
    ['    await this.#seat?.leave();', ''],
    ['return unlessAborted(promise, this.#ended.signal);', 'return promise;'],
    ['      deadline.cancel();', ''],
  ]),
  ...slipsIn('src/fleet/join-fleet.ts', rounds, [
    ['    void joining.then((seat) => seat.leave()).catch(() => undefined);', ''],
    ['    await membership.leaveSeat();\n    throw error;', '    throw error;'],
    ['this.#queue = report.catch(() => undefined);', ''],
    ["signal.addEventListener('abort', end, { once: true });", ''],
    [
      '(this.#leaving ??= this.#queue.then(() => this.membership.leaveSeat()))',
      '(this.#leaving ??= this.membership.leaveSeat())',
    ],
    ['samples > 0 && samples < Infinity', 'samples > 0'],
  ]),
  ...slipsIn('src/fleet/round-deltas.ts', rounds, [
    ['received.checksum === taken[k]!.checksum', 'true'],
    ['if (seen.round !== this.round)', 'if (seen.round > this.round + 100)'],
    ['if (seen.peer !== peer)', 'if (seen.peer === undefined)'],
    ['ours[name] !== theirs[name]', 'ours[name] === undefined'],
    ['        this.#seen.set(key, look);', ''],
    ['if (bytes === undefined) return', 'if (bytes === null) return'],
  ]),
  ...slipsIn('src/fleet/rounds.ts', rounds, [
    ['if (settings.normFactor !== options.normFactor)', 'if (settings.normFactor < options.normFactor)'],
    ['if (this.#own?.round !== round) {', 'if (this.#own?.id === undefined || this.#own.round !== round) {'],
    [
      'const isComplete = members.includes(peer) && members.every(isThere);',
      'const isComplete = members.every(isThere);',
    ],
    ['posted.length >= minPeers && (isComplete || isOver)', 'isComplete || isOver'],
    ['posted.length >= minPeers && (isComplete || isOver)', 'posted.length >= minPeers && isComplete'],
    ['posted.length >= minPeers && (isComplete || isOver)', 'posted.length >= minPeers'],
    ['if (isDecided && taken.length > 0)', 'if (isDecided)'],
    ['      if (standing !== undefined) return standing;', ''],
    ['await this.#loadSnapshot(round + 1, true, why);', 'await this.#loadSnapshot(round, true, why);'],
    ['if (isOwnTaken) this.#uncounted -= this.#own!.samples;', ''],
    ['if (isOwnTaken) this.#uncounted -= this.#own!.samples;', 'this.#uncounted = 0;'],
    ['if (closedBy === this.options.peer) await', 'if (closedBy !== this.options.peer) await'],
    ["await this.#loadSnapshot(round + 1, true, 'there", "await this.#loadSnapshot(round + 1, false, 'there"],
    ['newest.round >= leastRound', 'newest.round > leastRound'],
    ['last !== undefined && (', 'true || ('],
    ['last.checksum === this.#own.checksum ||', ''],
    ['else if (isDeltaTaken) this.#uncounted', 'else this.#uncounted'],
    ['    this.#taken = new Map(Object.entries(facts.taken));', ''],
    ['< options.snapshotEvery', '<= options.snapshotEvery'],
    ["      membership.tell({ kind: 'trouble', error });", ''],
    ['Math.max(0, round - options.keepRounds)', 'round'],
    ["await this.#loadSnapshot(0, options.keepProgress, 'there", "await this.#loadSnapshot(0, true, 'there"],
  ]),
  ...slipsIn('src/fleet/memory-transport.ts', rounds, [
    ['if (standing !== undefined) return standing;', ''],
    ['before.round >= facts.round', 'before.round > facts.round'],
    ['      if (round >= keepFrom) continue;', '      if (round > keepFrom) continue;'],
    ['if (this.fleet.holds(this)) this.fleet.remove', 'this.fleet.remove'],
    ['    if (this.#seats.has(peer)) {', '    if (peer === undefined) {'],
  ]),
];
