/** Width and height of a button's display. */
export const WIDTH = 128;
export const HEIGHT = 64;

type Colour = readonly [number, number, number];

/**
 * The pixels of a display, four bytes each, for a canvas.
 *
 * @param screen 1024 bytes in base64: rows from the top, eight pixels a byte, the leftmost in the highest bit
 * @returns nothing where it is none
 */
export function pixels(
  screen: string,
  lit: Colour,
  dark: Colour,
): Uint8ClampedArray<ArrayBuffer> | undefined {
  let bytes: string;
  try {
    bytes = atob(screen);
  } catch {
    return undefined;
  }
  if (bytes.length !== (WIDTH * HEIGHT) / 8) return undefined;
  const out = new Uint8ClampedArray(WIDTH * HEIGHT * 4);
  for (let at = 0; at < WIDTH * HEIGHT; at += 1) {
    const on = (bytes.charCodeAt(at >> 3) >> (7 - (at & 7))) & 1;
    out.set(on ? lit : dark, at * 4);
    out[at * 4 + 3] = 255;
  }
  return out;
}

/** Whole seconds until then, of two times in milliseconds; the last one counts as one. */
export function secondsUntil(then: number, now: number): number {
  return Math.max(0, Math.ceil((then - now) / 1000));
}
