/** What a new cluster's file may begin with. */
export const EXAMPLE = `apiVersion: bramble.dev/v1alpha1
kind: Cluster
metadata: { name: home }
spec:
  kubernetes: { version: v1.34.2 }
  machines:
    - { name: one, roles: [control-plane], address: 192.168.1.11 }
    - { name: two, address: 192.168.1.12 }
`;

/** A file that the daemon has, with what is sent back with a changed one. */
export interface Held {
  file?: string | null;
  version?: string | null;
}

/** What somebody writes into a file, and what it was made from. */
export interface Draft {
  text: string;
  base: string;
}

/** How a draft stands to the file that the daemon has now. */
export function standing(draft: Draft, now: string): 'same' | 'changed' | 'overtaken' {
  if (draft.text === now) return 'same';
  return draft.base === now ? 'changed' : 'overtaken';
}

/** What the draft of a cluster's file is kept by. */
export const draftOf = (cluster: string) => `cluster ${cluster}`;

/** Lines where a file has mistakes, by what the daemon says of it. */
export function mistakes(detail = ''): number[] {
  return [...detail.matchAll(/^ *--> .+:(\d+):\d+$/gm)].map(([, line]) => Number(line));
}

/** Begin and end of a line in a text; lines count from 1. */
export function lineAt(text: string, line: number): [number, number] {
  const before = text.split('\n').slice(0, line);
  const end = before.join('\n').length;
  return [end - (before.at(-1)?.length ?? 0), end];
}
