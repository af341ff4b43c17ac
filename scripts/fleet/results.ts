/** The results of `npm run fleet`, for people and for programs. */
import Table from 'cli-table3';
import type { PeerSummary } from '../../demo/headless/fleet/protocol.js';
import type { FleetCommand } from './command.js';
import type { FleetResult } from './run.js';

/** All that was run. */
export interface FleetResults {
  readonly command: FleetCommand;
  readonly alone: PeerSummary | undefined;
  readonly results: readonly FleetResult[];
}

/** The object that `--json` prints. */
export function fleetRecord({ command, alone, results }: FleetResults): Record<string, unknown> {
  const { task, peers, every, rounds, seed, kill, poison } = command;
  return {
    task,
    peers,
    every,
    rounds,
    seed,
    kill,
    poison,
    ...(alone && { alone: { loss: alone.loss, accuracy: alone.accuracy, steps: alone.steps } }),
    fleets: results.map((result) => {
      const { compression, events, poisonRefused } = result;
      const { loss, accuracy } = ofFleet(result);
      return {
        compression,
        loss,
        accuracy,
        ...bytesOf(result),
        ...bitsOf(result),
        poisonRefused,
        events,
      };
    }),
    adapter: results[0]!.adapter,
  };
}

/** A table of all that was run. */
export function formatFleet({ command, alone, results }: FleetResults): string {
  const { task, peers, every, rounds, seed, poison } = command;
  const table = new Table({
    head: ['', 'loss', 'accuracy', 'bytes/step of a peer', 'of data-parallel', 'same bits at the end'],
    colAligns: ['left', 'right', 'right', 'right', 'right', 'right'],
    style: { head: [], border: [] },
  });
  if (alone) table.push(['1 peer, as many samples', ...qualityOf(alone), '', '', '']);
  for (const result of results) {
    const { bytesPerStep, dataParallelBytesPerStep } = bytesOf(result);
    const { sameBits, finished } = bitsOf(result);
    table.push([
      `${peers} peers, ${result.compression}`,
      ...qualityOf(ofFleet(result)),
      Math.round(bytesPerStep).toLocaleString('en'),
      `1/${Math.round(dataParallelBytesPerStep / bytesPerStep)}`,
      `${sameBits} of ${finished}`,
    ]);
  }
  const { elementCount } = ofFleet(results[0]!);
  const [elements, bytes] = [elementCount, 4 * elementCount].map((count) => count.toLocaleString('en'));
  return [
    '',
    ...results.flatMap(({ events }) => events),
    ...(poison
      ? results.map(
          (result) => `The poisoned peer was refused in ${result.poisonRefused} of ${rounds} rounds.`,
        )
      : []),
    table.toString(),
    `${task}, ${elements} elements, ${rounds} rounds of ${every} steps. Loss and accuracy are of held-out examples.`,
    `Data-parallel training sends the gradients of each step, ${bytes} bytes.`,
    `${results[0]!.adapter} · seed ${seed}`,
  ].join('\n');
}

const qualityOf = ({ loss, accuracy }: PeerSummary): [string, string] => [
  loss.toFixed(4),
  `${(accuracy * 100).toFixed(2)} %`,
];

/** A peer that has the fleet's weights, if there is one. */
const ofFleet = ({ summaries }: FleetResult): PeerSummary =>
  summaries.find(({ hasAnchor }) => hasAnchor) ?? summaries[0]!;

function bytesOf({ summaries }: FleetResult): { bytesPerStep: number; dataParallelBytesPerStep: number } {
  const sum = (of: (summary: PeerSummary) => number): number =>
    summaries.reduce((total, summary) => total + of(summary), 0);
  return {
    bytesPerStep: sum(({ sentByteLength }) => sentByteLength) / sum(({ steps }) => steps),
    dataParallelBytesPerStep: 4 * summaries[0]!.elementCount,
  };
}

/** Of those who came to the end, how many have the fleet's bits. */
function bitsOf(result: FleetResult): { sameBits: number; finished: number } {
  const { weights } = ofFleet(result);
  return {
    sameBits: result.summaries.filter((summary) => summary.weights === weights).length,
    finished: result.summaries.length,
  };
}
