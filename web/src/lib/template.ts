import type { Origin, Template } from '../api/client';
import { labels, object, written } from './labels';
import { count } from './words';

/** Where a template's machines come from, in words. */
export const ORIGINS: Record<Origin, string> = {
  lab: 'on this computer',
  pool: 'of the pool',
  ccp: 'of Cisco Container Platform',
};

/** What a template says, as it is written in a form. */
export interface Written {
  origin: Origin;
  controlPlanes: number;
  workers: number;
  labels: string;
  spec: string;
}

/** What a template says besides its name. */
export type Said = Omit<Template, 'name' | 'version'>;

/** A template as it is written in a form; that of a new one. */
export function writtenOf(template?: Said): Written {
  const { origin = 'lab', controlPlanes = 1, workers = 2, labels, spec } = template ?? {};
  const below = Object.keys(spec ?? {}).length > 0 ? JSON.stringify(spec, null, 2) : '';
  return { origin, controlPlanes, workers, labels: written(labels), spec: below };
}

/** What is written, or what is wrong with it, by field. */
export function templateOf(form: Written): { said?: Said; labels?: string; spec?: string } {
  const [l, s] = [labels(form.labels), object(form.spec)];
  if (typeof l === 'string' || typeof s === 'string') {
    return { labels: typeof l === 'string' ? l : undefined, spec: typeof s === 'string' ? s : undefined };
  }
  const { origin, controlPlanes, workers } = form;
  return { said: { origin, controlPlanes, workers, labels: l, spec: s } };
}

/** A template in words: `1 control plane and 2 workers of the pool, disk=ssd`. */
export function inWords(template: Said): string {
  const machines = `${count(template.controlPlanes, 'control plane')} and ${count(template.workers, 'worker')}`;
  return [`${machines} ${ORIGINS[template.origin]}`, written(template.labels)].filter(Boolean).join(', ');
}

/** Whether two templates say the same. */
export function sameWords(one: Said, other: Said): boolean {
  const [a, b] = [one, other].map((template) => JSON.stringify(templateOf(writtenOf(template)).said));
  return a === b;
}
