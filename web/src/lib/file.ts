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

/** What somebody writes into a cluster's file, and what it was made from. */
export interface Draft {
  text: string;
  base: string;
}

/** How a draft stands to the file that the daemon has now. */
export function standing(draft: Draft, now: string): 'same' | 'changed' | 'overtaken' {
  if (draft.text === now) return 'same';
  return draft.base === now ? 'changed' : 'overtaken';
}
