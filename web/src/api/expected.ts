/** What the display of a button shows. */
export interface Frame {
  /** 1024 bytes in base64: rows from the top, eight pixels a byte, the leftmost in the highest bit. */
  screen: string;
  text: string[];
  awake: boolean;
}

/** Routes that the description may not have yet; what it says of them counts more ({@link Paths}). */
export interface Expected {
  '/buttons/{id}/virtual': {
    post: {
      parameters: { path: { id: string } };
      requestBody: { content: { 'application/json': { press: 'short' | 'long' } } };
      responses: { 202: { content?: never } };
    };
  };
}
