import type { components } from './description';

/** Why a request was not answered as wished: RFC 9457. */
export type Problem = components['schemas']['Problem'];

/** A request that was not answered as wished. */
export class Refused extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail);
  }
}

/** What a page says of something that it can't explain by itself. */
export function problemOf(error: unknown): Problem {
  if (error instanceof Refused) return error.problem;
  return made(0, error instanceof Error ? error.message : String(error));
}

/** Where nothing answers at all. */
export function unreachable(): Refused {
  return new Refused(
    made(0, 'The daemon does not answer.', 'Is this computer on the network, and the daemon running?'),
  );
}

/** The problem in an answer; one of the status where the body holds none. */
export async function refusedBy(response: Response): Promise<Refused> {
  const kind = response.headers.get('content-type') ?? '';
  if (kind.startsWith('application/problem+json')) {
    try {
      return new Refused((await response.json()) as Problem);
    } catch {
      // Cut off on its way: the status is all that is known.
    }
  }
  return new Refused(made(response.status, `The daemon answered ${response.status}.`));
}

export function made(status: number, detail: string, hint?: string): Problem {
  return { type: 'about:blank', title: 'Problem', status, detail, hint };
}
