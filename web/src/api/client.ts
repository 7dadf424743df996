import type { components, paths } from './description';
import type { Expected } from './expected';
import { Refused, refusedBy, unreachable } from './problem';

export type Cluster = components['schemas']['Cluster'];
export type Run = components['schemas']['Run'];
export type Machine = components['schemas']['Machine'];
export type User = components['schemas']['Person'];
export type Template = components['schemas']['NamedTemplate'];
export type Origin = components['schemas']['Origin'];
export type Profile = components['schemas']['Profile'];
export type Question = components['schemas']['Question'];
export type Answer = components['schemas']['Answer'];
export type Shown = components['schemas']['Shown'];
export type Token = components['schemas']['Token'];
export type Entry = components['schemas']['AuditEntry'];
export type Me = components['schemas']['Me'];
export type Actor = components['schemas']['Actor'];
export type RoleName = components['schemas']['Role'];

/** All routes; what the daemon's own description says of one counts. */
export type Paths = paths & Omit<Expected, keyof paths>;

type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';
type PathsWith<M extends Method> = {
  [P in keyof Paths]: Paths[P] extends { [K in M]: object } ? P : never;
}[keyof Paths];
type Op<M extends Method, P> = P extends keyof Paths
  ? Paths[P] extends { [K in M]: infer O }
    ? O
    : never
  : never;
type PathOf<O> = O extends { parameters: { path: infer P extends object } } ? P : Record<never, never>;
type QueryOf<O> = O extends { parameters: { query?: infer Q } } ? NonNullable<Q> : Record<never, never>;
type BodyOf<O> = O extends { requestBody: { content: { 'application/json': infer B } } } ? B : undefined;
type Success = 200 | 201 | 202;
type OkOf<O> = O extends { responses: infer R }
  ? {
      [S in keyof R]: S extends Success
        ? R[S] extends { content: { 'application/json': infer T } }
          ? T
          : never
        : never;
    }[keyof R]
  : never;

export interface With<O> {
  path?: PathOf<O>;
  query?: QueryOf<O>;
  body?: BodyOf<O>;
  /** Longest wait, in milliseconds. */
  limit?: number;
}

/** Where the API is. */
export const BASE = '/api/v1';

/** Longest wait for most answers, in milliseconds. */
const LIMIT = 30_000;

/** The address of a route with its parameters. */
export function address(path: string, values: object = {}, query: object = {}): string {
  const known = values as Record<string, string>;
  const filled = path.replace(/\{(\w+)\}/g, (_, key: string) => encodeURIComponent(known[key] ?? ''));
  const asked = new URLSearchParams(
    Object.entries(query).map(([key, value]): [string, string] => [key, String(value)]),
  ).toString();
  return `${BASE}${filled}${asked && `?${asked}`}`;
}

/**
 * Asks the daemon.
 *
 * @throws {Refused} what the daemon, or the way to it, says against it
 */
export async function ask<M extends Method, P extends PathsWith<M>>(
  method: M,
  path: P,
  { path: values, query, body, limit = LIMIT }: With<Op<M, P>> = {},
): Promise<OkOf<Op<M, P>>> {
  const headers: Record<string, string> = { accept: 'application/json' };
  if (body !== undefined) headers['content-type'] = 'application/json';
  let response: Response;
  let text: string;
  try {
    response = await fetch(address(path, values, query), {
      method: method.toUpperCase(),
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(limit),
    });
    if (!response.ok) throw await refusedBy(response);
    text = await response.text();
  } catch (error) {
    throw error instanceof Refused ? error : unreachable();
  }
  return (text ? JSON.parse(text) : undefined) as OkOf<Op<M, P>>;
}
