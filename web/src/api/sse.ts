import { made, problemOf, refusedBy, type Problem } from './problem';

/** One server-sent event. */
export interface Sent {
  event: string;
  id: string;
  data: string;
}

/**
 * Reads a stream of server-sent events (HTML standard, 9.2.6) piece by piece, wherever it was cut.
 * Returns a function that takes a piece and gives the events that are complete.
 */
export function reader(): (piece: string) => Sent[] {
  let rest = '';
  let next: { event: string; data: string[] } = { event: '', data: [] };
  let id = '';
  return (piece) => {
    const out: Sent[] = [];
    // A carriage return at the end may be the first half of a line's end.
    const lines = (rest + piece).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line === '') {
        if (next.data.length > 0) {
          out.push({ event: next.event || 'message', id, data: next.data.join('\n') });
        }
        next = { event: '', data: [] };
        continue;
      }
      const colon = line.indexOf(':');
      const name = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
      if (name === 'data') next.data.push(value);
      else if (name === 'event') next.event = value;
      else if (name === 'id') id = value;
    }
    return out;
  };
}

/** Milliseconds until a stream is tried again: longer each time, never all browsers at once. */
export function pause(tries: number, random: number): number {
  const most = Math.min(8000, 500 * 2 ** tries);
  return Math.round(most / 2 + (most / 2) * random);
}

export interface Follower {
  /** An event; `stop` as an answer ends it. */
  event(sent: Sent): 'stop' | void;
  /** The stream is there, or lost: it is tried again then. */
  open?(open: boolean): void;
  /** The daemon does not let it be followed; it isn't tried again. */
  refused?(problem: Problem): void;
}

/** A daemon that is well says something every 15 s. */
const SILENCE = 40_000;

/**
 * Follows a stream for as long as it takes, with the last event's id after each interruption. `EventSource` would
 * neither notice a silent connection nor tell why it was refused.
 *
 * @returns what ends it
 */
export function follow(url: string, on: Follower): () => void {
  let stopped = false;
  let last = '';
  let tries = 0;
  let cut = new AbortController();
  let hurry = () => {};

  const wake = () => hurry();
  const seen = () => document.visibilityState === 'visible' && hurry();
  window.addEventListener('online', wake);
  document.addEventListener('visibilitychange', seen);

  async function once(): Promise<void> {
    cut = new AbortController();
    let watch = setTimeout(() => cut.abort(), SILENCE);
    try {
      const headers: Record<string, string> = { accept: 'text/event-stream' };
      if (last) headers['last-event-id'] = last;
      const response = await fetch(url, { headers, signal: cut.signal, cache: 'no-store' });
      if (!response.ok || !response.body) throw await refusedBy(response);
      tries = 0;
      on.open?.(true);
      const read = reader();
      const pieces = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { done, value } = await pieces.read();
        if (done || stopped) return;
        clearTimeout(watch);
        watch = setTimeout(() => cut.abort(), SILENCE);
        for (const sent of read(value)) {
          if (sent.id) last = sent.id;
          if (on.event(sent) === 'stop') return stop();
        }
      }
    } finally {
      clearTimeout(watch);
    }
  }

  async function all(): Promise<void> {
    while (!stopped) {
      let problem = made(0, '');
      try {
        await once();
      } catch (error) {
        problem = problemOf(error);
      }
      if (stopped) return;
      on.open?.(false);
      if (problem.status >= 400 && problem.status < 500 && problem.status !== 429) {
        stop();
        on.refused?.(problem);
        return;
      }
      await new Promise<void>((go) => {
        const timer = setTimeout(go, pause(tries, Math.random()));
        hurry = () => {
          clearTimeout(timer);
          go();
        };
      });
      hurry = () => {};
      tries += 1;
    }
  }

  function stop(): void {
    stopped = true;
    window.removeEventListener('online', wake);
    document.removeEventListener('visibilitychange', seen);
    cut.abort();
    hurry();
  }

  void all();
  return stop;
}
