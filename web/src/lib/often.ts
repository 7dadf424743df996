/**
 * Does something now, but never twice at once and not more often than each `gap` milliseconds: what is asked for
 * meanwhile happens once, afterwards.
 */
export function often(gap: number, work: () => Promise<void>): () => void {
  let busy = false;
  let again = false;
  const run = async (): Promise<void> => {
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    do {
      again = false;
      await work();
      await new Promise((go) => setTimeout(go, gap));
    } while (again);
    busy = false;
  };
  return () => void run();
}
