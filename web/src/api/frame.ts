/** What the display of a button shows; the description has no types for events. */
export interface Frame {
  /** 1024 bytes in base64: rows from the top, eight pixels a byte, the leftmost in the highest bit. */
  screen: string;
  text: string[];
  awake: boolean;
  /** For so many milliseconds it hears no press: it shows its last screen. */
  deafFor?: number;
}
