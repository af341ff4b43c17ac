/** docs/onnx.md, from the registry of operators. */
import { losses } from '../../onnx/losses/registry.js';
import { families } from '../../onnx/operators/registry.js';
import type { Operators } from '../../onnx/operators/operator.js';

export function onnxPage(): string {
  const tables = Object.entries(families).map(([family, operators]) => table(family, operators));
  const known = Object.values(families).flatMap((operators) =>
    Object.entries(operators).flatMap(([name, { backward }]) => (backward ? [] : [name])),
  );
  return [
    '# ONNX operators\n',
    '<!-- Made by `npm run docs` from onnx/operators; change it there. -->\n',
    'The backward pass that `webgpu-optim-onnx` appends is made of plain ONNX operators, all of which ONNX Runtime runs on WebGPU.',
    'Gradients go back through the operators below, in the forms that they have in opsets 7 and later. Each is checked in float64:',
    'the appended nodes are evaluated, and their numbers compared with differences of the forward pass; and in float32, as ONNX',
    'Runtime runs them (test/unit/onnx-operators.test.ts).\n',
    'Only what lies between a trained weight and the loss needs a gradient. A frozen base in front of a trained head may be made of',
    'any operators; of those that are not known, the model must declare the shapes of their results, as',
    '`onnx.shape_inference.infer_shapes` does. All that is missing is named at once.\n',
    'A shape that a model computes from the shapes of its inputs is computed when the graph is made.\n',
    'Networks that PyTorch exported in opsets 9 to 20 have the gradients of its own autograd: a LeNet, a residual network, a text',
    'classifier, transformers, a decoder (test/unit/onnx-exported.test.ts; on WebGPU test/e2e/onnx-exported.test.ts). An exporter may',
    'write equal weights once, the ones of several norms that were never trained, say; they are then one weight, and stay equal.\n',
    '## Losses\n',
    'What `--loss` takes; the loss is the mean over rows or numbers, with `--row-weights` the weighed one.\n',
    '| `--loss` | |',
    '| --- | --- |',
    ...Object.entries(losses).map(([name, { summary }]) => `| \`${name}\` | ${summary} |`),
    '| `output` | the output is the loss already, a single number |\n',
    ...tables,
    '## Without a gradient\n',
    `Their shapes are known, so that they may stand beside the path of the gradients: ${known.map((name) => `\`${name}\``).join(', ')}.`,
    '',
  ].join('\n');
}

function table(family: string, operators: Operators): string {
  const rows = Object.entries(operators)
    .filter(([, { backward }]) => backward)
    .map(([name, { note = '' }]) => `| \`${name}\` | ${note} |`);
  if (rows.length === 0) return '';
  return [`## ${family}\n`, '| operator | |', '| --- | --- |', ...rows, ''].join('\n');
}
