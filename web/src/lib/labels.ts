/** Labels as they are written in a field: `disk=ssd, room=cellar`. */
export function written(labels: Record<string, string> | undefined): string {
  return Object.entries(labels ?? {})
    .map(([key, value]) => `${key}=${value}`)
    .join(', ');
}

/**
 * Labels from a field.
 *
 * @returns a sentence where it can't be read
 */
export function labels(text: string): Record<string, string> | string {
  const out: Record<string, string> = {};
  for (const part of text.split(/[,\n]/)) {
    const one = part.trim();
    if (one === '') continue;
    const at = one.indexOf('=');
    const key = one.slice(0, Math.max(at, 0)).trim();
    if (key === '') return `“${one}” is no label: write name=value, with commas between labels.`;
    if (key in out) return `The label “${key}” is there twice.`;
    out[key] = one.slice(at + 1).trim();
  }
  return out;
}

/**
 * A JSON object from a field; an empty one is an empty object.
 *
 * @returns a sentence where it can't be read
 */
export function object(text: string): Record<string, unknown> | string {
  if (text.trim() === '') return {};
  try {
    const value: unknown = JSON.parse(text);
    if (value !== null && typeof value === 'object' && !Array.isArray(value)) {
      return value as Record<string, unknown>;
    }
    return 'This is JSON, but no object: begin with { and end with }.';
  } catch (error) {
    return `This is no JSON: ${error instanceof Error ? error.message : String(error)}`;
  }
}
