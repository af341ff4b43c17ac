import { OptimizerError } from '../../errors.js';
import type { RuleLayout } from '../../kernel/rule-layout.js';
import { countStorageBindings } from '../../plan/batches.js';
import type { PlanLimits, PlanTensor } from '../../plan/pieces.js';

/** @throws OptimizerError `limit-exceeded` if a step of one tensor needs more storage buffers than the device binds. */
export function checkSlotBindings(
  { rule, elementSlots }: RuleLayout,
  tensors: readonly PlanTensor<GPUBuffer>[],
  { maxStorageBuffersPerShaderStage: limit }: PlanLimits,
): void {
  const isListed = tensors.some(({ rows }) => rows);
  const isMasked = tensors.some(({ mask }) => mask);
  const gradBinding = tensors[0]?.grad ? 'read' : 'none';
  const access = { data: 'vector', grad: 'vector', state: 'vector', gradBinding } as const;
  const { perTensor, shared } = countStorageBindings(
    { ...access, ...(isListed && { isListed }), ...(isMasked && { isMasked }) },
    elementSlots.length,
  );
  const bindingCount = perTensor + shared;
  if (bindingCount <= limit) return;
  throw new OptimizerError(
    'limit-exceeded',
    `${rule.name} with ${elementSlots.length} state slots needs ${bindingCount} storage buffers per shader stage but ` +
      `the device allows ${limit}; request the device with requiredLimits.maxStorageBuffersPerShaderStage.`,
  );
}
