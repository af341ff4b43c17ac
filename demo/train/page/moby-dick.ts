import { element, setText } from '../../site/elements.js';
import { textLearningRates } from '../presets.js';
import { type Corpus, decode, fetchMobyDick } from '../../../lab/tasks/text/corpus.js';
import { sampleText } from '../text/sampler.js';
import { textSizes, type TextSizeName } from '../../../lab/tasks/text/sizes.js';
import { chooseTextSize } from '../text/choose-size.js';
import { TextTask } from '../../../lab/tasks/text/text-task.js';
import type { PageTask } from './page-task.js';
import { SIDES } from './sides.js';

/** The same noise each time: what changes in a sample is what was learned. */
const SAMPLE_SEED = 1851;

let loading: Promise<Corpus> | undefined;
let corpus: Corpus | undefined;

/** Moby-Dick, character by character. */
export const mobyDickOnPage: PageTask = {
  title: 'Moby Dick',
  steps: 500,
  learningRates: textLearningRates,
  lossUnit: 'bits per character',
  lossPerNat: Math.LOG2E,
  baseline: () => ({ label: 'letter frequencies', loss: corpus!.unigramBits }),
  async load() {
    corpus = await (loading ??= fetchMobyDick());
    setText('baseline', corpus.unigramBits.toFixed(2));
  },
  async open(session) {
    const text = await (loading ??= fetchMobyDick());
    const chosen = element('size', HTMLSelectElement).value as TextSizeName | 'auto';
    const size = textSizes[chosen === 'auto' ? await chooseTextSize(session, text) : chosen];
    const vocabularySize = text.alphabet.length;
    const prompt = text.heldOut.slice(0, size.contextLength);
    return {
      task: new TextTask(text, { ...size, vocabularySize }),
      batchSize: size.batchSize,
      network: `transformer, ${size.layerCount} layers of width ${size.width}, context ${size.contextLength}`,
      async show(models) {
        const temperature = element('temperature', HTMLInputElement).valueAsNumber;
        for (const [i, model] of models.entries()) {
          const request = {
            prompt,
            length: size.sampleLength,
            temperature,
            seed: SAMPLE_SEED,
            vocabularySize,
          };
          const sample = await sampleText(model, request);
          setText(`${SIDES[i]!}-prompt`, decode(text, prompt).trimStart());
          setText(`${SIDES[i]!}-sample`, decode(text, sample));
        }
      },
    };
  },
  clear() {
    for (const side of SIDES) {
      setText(`${side}-prompt`, '');
      setText(`${side}-sample`, 'Nothing written yet.');
    }
  },
};
