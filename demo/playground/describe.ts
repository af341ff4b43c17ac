/** The longest list that is shown in full. */
const LONGEST = 8;

/** A value as the output shows it: short, and never throwing. */
export function describe(value: unknown, depth = 2): string {
  try {
    if (typeof value === 'string') return depth === 2 ? value : JSON.stringify(value);
    if (typeof value === 'number') return numeral(value);
    if (typeof value === 'function') return `function ${value.name || '(anonymous)'}`;
    if (typeof value !== 'object' || value === null) return String(value);
    if (value instanceof Error) return `${value.name}: ${value.message}`;
    if (depth === 0) return '…';
    if (Array.isArray(value) || ArrayBuffer.isView(value)) {
      const list = Array.from(value as unknown as ArrayLike<unknown>);
      const shown = list.slice(0, LONGEST).map((entry) => describe(entry, depth - 1));
      return `[${shown.join(', ')}${list.length > LONGEST ? `, … ${list.length} in all` : ''}]`;
    }
    const fields = Object.entries(value).map(([key, field]) => `${key}: ${describe(field, depth - 1)}`);
    const kind = value.constructor?.name ?? 'Object';
    const name = kind === 'Object' ? '' : kind;
    if (fields.length === 0) return name || '{}';
    const shown = fields.slice(0, LONGEST).join(', ');
    return `${name && `${name} `}{ ${shown}${fields.length > LONGEST ? ', …' : ''} }`;
  } catch {
    return 'something that cannot be read';
  }
}

/** Seven digits: what float32 has. */
function numeral(value: number): string {
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(7)));
}
