import { place } from '../lib/routes';

let path = $state(location.pathname);
const where = $derived(place(path));

let moved = false;

function arrive(): void {
  moved = true;
  path = location.pathname;
}

window.addEventListener('popstate', arrive);

/** Where the page is. */
export const route = {
  get path() {
    return path;
  },
  get place() {
    return where;
  },
  /** Whether this is not the place that the browser began with. */
  get moved() {
    return moved;
  },
};

/** Goes to another place of the page; `instead`: there is no way back to this one. */
export function go(to: string, instead = false): void {
  if (instead) history.replaceState(null, '', to);
  else history.pushState(null, '', to);
  arrive();
  window.scrollTo(0, 0);
}

/** Links of the page stay on the page; whatever a browser's user does to open them elsewhere is theirs. */
export function follows(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0) return;
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = (event.target as Element).closest('a');
  if (!link || link.target || link.origin !== location.origin || link.hash) return;
  if (link.pathname.startsWith('/api/')) return;
  event.preventDefault();
  if (link.pathname !== location.pathname) go(link.pathname);
}
