/** docs/limits.md, from the registry. */
import { countStorageBindings } from '../../src/plan/batches.js';
import { layoutOf } from '../../src/kernel/rule-layout.js';
import { allRuleFactories } from './all-rules.js';
import { bytesKept, table } from './rules-page.js';

/** What WebGPU guarantees. */
const GUARANTEED = 8;

const INTRODUCTION = `# Which limits must I request?

<!-- Made by \`npm run docs\` from the registry and test/support/limits-page.ts; change it there. -->

None, in most cases. Every WebGPU device has ${GUARANTEED} storage buffers per shader stage, bindings of 128 MiB and buffers of 256 MiB. That is
enough for every rule with default options. A larger tensor is cut into several dispatches, and may lie in several buffers.

Ask for more in these cases. If a limit is too low, the call throws one error, \`limit-exceeded\`, which names the limit to request.

| you want                                                                    | limit                                                |
| --------------------------------------------------------------------------- | ---------------------------------------------------- |
| more storage buffers in a step than ${GUARANTEED}: see the table below                      | \`maxStorageBuffersPerShaderStage\`                    |
| a matrix for \`muon\` or \`adafactor\` that is larger than a binding            | \`maxStorageBufferBindingSize\` and \`maxBufferSize\`    |
| sparse gradients for a table that is larger than a binding                  | \`maxStorageBufferBindingSize\` and \`maxBufferSize\`    |
| fewer dispatches for tensors beyond 128 MiB                                 | \`maxStorageBufferBindingSize\` and \`maxBufferSize\`    |
| fewer dispatches for many small tensors without an arena                    | \`maxStorageBuffersPerShaderStage\`                    |
| a larger \`kernel.workgroupSize\` than 256                                    | \`maxComputeInvocationsPerWorkgroup\`, \`maxComputeWorkgroupSizeX\` |
| \`timestampWrites\`                                                           | the feature \`timestamp-query\`                        |

\`\`\`js
const adapter = await navigator.gpu.requestAdapter();
const { maxBufferSize, maxStorageBufferBindingSize, maxStorageBuffersPerShaderStage } = adapter.limits;
const large = await adapter.requestDevice({
  requiredLimits: { maxBufferSize, maxStorageBufferBindingSize, maxStorageBuffersPerShaderStage },
});
large.limits.maxBufferSize === maxBufferSize; // true
\`\`\`

What adapters offer is in [Runtimes](runtimes.md#limits). \`shader-f16\` and \`subgroups\` are never needed.

## Storage buffers and bytes per rule

Buffers are those of a step of one tensor: weights, gradients, and one for each slot of the state. Some options keep more state. Each of
\`ema\`, \`swa\`, \`lookahead\` and \`masterWeights\` adds one buffer; so do a \`rowMask\`, a sparse gradient, and weights of
\`'f16'\`, whose overflows are counted if a buffer is free for that. Bytes are those of the state per weight
in float32; [fewer bits](rules.md#memory) are possible.`;

const MORE = `\`muon\` and \`adafactor\` also need working memory, about as much as the gradients of a few matrices take.

## Other limits

- \`encode\` may have 1024 steps pending on command encoders that are not submitted yet; on a single one, any number.
- A parameter makes 2³² − 1 steps at most.
- Steps are computed in float32, whatever weights, gradients and state are kept in.
- Without an [arena](guides/many-tensors.md), tensors that do not lie side by side share a dispatch only if they are small.`;

/** The Markdown of docs/limits.md. */
export function limitsPage(): string {
  const rows = allRuleFactories.map(([name, factory]) => {
    const buffers = (slotCount: number): number => {
      const { perTensor, shared } = countStorageBindings(
        { data: 'vector', grad: 'vector', state: 'vector', gradBinding: 'read' },
        slotCount,
      );
      return perTensor + shared;
    };
    const used = layoutOf(factory()).elementSlots.length;
    // Of some, which options exclude each other does not matter: at most so many.
    const most =
      used + factory.declaration.slots.filter(({ usedBy, perTensor }) => usedBy && !perTensor).length;
    return [
      `[\`${name}\`](rules.md#${name.toLowerCase()})`,
      String(buffers(used)),
      String(buffers(most)),
      String(bytesKept(factory, 'f32')),
    ];
  });
  return `${[
    INTRODUCTION,
    table(['rule', 'storage buffers', 'with all its options', 'bytes of state'], rows),
    MORE,
  ].join('\n\n')}\n`;
}
