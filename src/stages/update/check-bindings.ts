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
  const rows = tensors.find((tensor) => tensor.rows)?.rows;
  const gradBinding = tensors[0]?.grad ? 'read' : 'none';
  const access = { data: 'vector', grad: 'vector', state: 'vector', gradBinding } as const;
  const { perTensor, shared } = countStorageBindings(
    { ...access, ...(rows && { rowLength: rows.rowLength }) },
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
