import { BASE } from '../api/client';
import { follow, type Sent } from '../api/sse';
import { doubt } from './session.svelte';

/** Kinds of things whose changes the daemon tells. */
export type Kind = 'cluster' | 'machine' | 'template' | 'run' | 'button' | 'light' | 'setting';

interface Watcher {
  kinds: Kind[];
  /** Only the one of that name. */
  name?: string;
  changed: () => void;
}

const watchers = new Set<Watcher>();
let lost = $state(false);

export const live = {
  /** The daemon was there and doesn't answer now. */
  get lost() {
    return lost;
  },
};

/** Calls when something of these kinds has changed, or may have while nobody was listening. */
export function watch(watcher: Watcher): () => void {
  watchers.add(watcher);
  return () => watchers.delete(watcher);
}

function tell(kind?: Kind, name?: string): void {
  for (const watcher of watchers) {
    const meant = kind === undefined || watcher.kinds.includes(kind);
    if (meant && (!name || !watcher.name || watcher.name === name)) watcher.changed();
  }
}

function heard({ event, data }: Sent): void {
  if (event !== 'put' && event !== 'deleted') return tell();
  const { kind, name } = JSON.parse(data) as { kind: Kind; name: string };
  tell(kind, name);
}

/** Listens to the daemon; the answer ends it. */
export function listen(): () => void {
  const stop = follow(`${BASE}/events`, {
    event: heard,
    open(open) {
      // What changed while nobody listened was not told.
      if (open) tell();
      lost = !open;
    },
    refused: doubt,
  });
  return () => {
    lost = false;
    stop();
  };
}
