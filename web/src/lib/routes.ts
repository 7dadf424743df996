/** A place of the page, as its address says. */
export type Place =
  | { page: 'clusters' | 'new-cluster' | 'machines' | 'templates' | 'buttons' | 'lights' }
  | { page: 'people' | 'audit' | 'account' | 'first' | 'nowhere' }
  | { page: 'cluster' | 'run' | 'template' | 'button'; name: string };

const PLAIN = {
  '/': 'clusters',
  '/clusters': 'clusters',
  '/new-cluster': 'new-cluster',
  '/machines': 'machines',
  '/templates': 'templates',
  '/buttons': 'buttons',
  '/lights': 'lights',
  '/people': 'people',
  '/audit': 'audit',
  '/account': 'account',
  '/first': 'first',
} as const;

const NAMED = { clusters: 'cluster', runs: 'run', templates: 'template', buttons: 'button' } as const;

/** The place of a path. */
export function place(path: string): Place {
  const plain = path.length > 1 ? path.replace(/\/+$/, '') : path;
  if (Object.hasOwn(PLAIN, plain)) return { page: PLAIN[plain as keyof typeof PLAIN] };
  const [, folder, name, ...more] = plain.split('/');
  if (folder && Object.hasOwn(NAMED, folder) && name && more.length === 0) {
    try {
      return { page: NAMED[folder as keyof typeof NAMED], name: decodeURIComponent(name) };
    } catch {
      // No text in UTF-8: it names nothing.
    }
  }
  return { page: 'nowhere' };
}

/** The path of something with a name. */
export function path(folder: keyof typeof NAMED, name: string): string {
  return `/${folder}/${encodeURIComponent(name)}`;
}
