import { OptimizerError, quote } from '../../../errors.js';
import { type Piece, isWoven } from '../../../plan/pieces.js';
import { LANE } from '../../../codecs/codec.js';

/** What there may be about a parameter that asks for words of its own. */
interface Candidate {
  readonly name: string;
  readonly data: readonly Piece<GPUBuffer>[];
  readonly grad: readonly Piece<GPUBuffer>[];
  readonly microGrad?: readonly Piece<GPUBuffer>[] | undefined;
  readonly rowLength?: number | undefined;
  readonly sparse?: unknown;
  readonly constraint?: unknown;
}

/**
 * Of elements that share words, each word is one invocation's: where they are cut, and where rows have lanes of their own, a word ends.
 *
 * @throws OptimizerError `invalid-parameter`.
 */
export function rejectUnfitWords(parameter: Candidate): void {
  const { name, data, grad, microGrad = [], rowLength = 0, sparse, constraint } = parameter;
  const gradients = sparse ? [] : grad;
  const all = [...data, ...gradients, ...microGrad];
  if (all.every(({ codec }) => !codec)) return;
  const roles = { data, grad: gradients, microGrad };
  const isShared = all.some(hasSharedWords);
  const what = `parameter ${quote(name)}`;
  for (const [role, pieces] of isShared ? Object.entries(roles) : []) {
    const broken = pieces.slice(0, -1).find(({ elementCount }) => elementCount % LANE !== 0);
    if (broken) {
      fail(
        `${what}: ${role} has a buffer for ${broken.elementCount} of its elements, and those of 2 bytes are stepped ${LANE} together; cut ` +
          `it at multiples of ${LANE}.`,
      );
    }
  }
  const other = all.find(({ buffer, codec }) =>
    data.some((own) => own.buffer === buffer && own.codec !== codec),
  );
  if (other) {
    fail(
      `${what} has weights and gradients of different dtypes in one buffer, which a kernel binds once; give them buffers of their own.`,
    );
  }
  const rejectOdd = (key: string, pieces: readonly Piece<GPUBuffer>[], rows: string): void => {
    if (rowLength % 2 === 0 || !pieces.some((piece) => hasSharedWords(piece) && !isWoven(piece))) return;
    fail(
      `${what} has rows of ${rowLength} elements of 2 bytes and ${rows}, which takes even rows only; pad the rows, or use ${key} "f32".`,
    );
  };
  if (sparse) rejectOdd('dtype', data, 'a sparse grad');
  if (constraint !== 'unit-rows') return;
  rejectOdd('dtype', data, "constraint 'unit-rows'");
  rejectOdd('gradDtype', gradients, "constraint 'unit-rows'");
}

const hasSharedWords = ({ codec }: Piece<GPUBuffer>): boolean => (codec?.blockLength ?? 1) > 1;

function fail(message: string): never {
  throw new OptimizerError('invalid-parameter', message);
}
