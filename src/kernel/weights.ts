import type { Codec, LaneAccess } from '../codecs/codec.js';
import type { Masters } from '../codecs/masters.js';

/** Loads a lane of weights: by what keeps them more exactly, where something does. */
export function composeWeights(
  name: string,
  codec: Codec,
  lanes: LaneAccess,
  masters: Masters | undefined,
): string {
  if (!masters) return `fn load_${name}(at: Place) -> lane {\n${codec.load(lanes)}\n}\n`;
  return `fn copy_of_${name}(at: Place) -> vec4<u32> {
${codec.loadBits!(lanes)}
}

fn load_${name}(at: Place) -> lane {
  let copy = copy_of_${name}(at);
  let kept = load_${masters.slot}(at);
  return ${masters.weight('copy', 'kept', codec.name)};
}
`;
}
