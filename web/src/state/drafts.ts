import type { Draft } from '../lib/file';

/** Files that are written and not saved, by what they are of: they outlast a look at another page. */
export const drafts = new Map<string, Draft>();

window.addEventListener('beforeunload', (event) => {
  if (drafts.size > 0) event.preventDefault();
});
