import { problemOf, type Problem } from '../api/problem';
import { often } from '../lib/often';
import { live, watch, type Kind } from './live.svelte';
import { doubt } from './session.svelte';

/** Least time between two readings of the same, in milliseconds. */
const GAP = 150;

/**
 * Something that the daemon has, read again whenever it says that it has changed. What was read stays on the page
 * while a reading fails. For the beginning of a component.
 */
export function loaded<T>(read: () => Promise<T>, kinds: Kind[] = [], name?: string) {
  let value = $state.raw<T>();
  let problem = $state.raw<Problem>();
  const again = often(GAP, async () => {
    try {
      value = await read();
      problem = undefined;
    } catch (error) {
      problem = problemOf(error);
      if (problem.status === 401) void doubt();
    }
  });
  $effect(() => {
    again();
    return watch({ kinds, name, changed: again });
  });
  return {
    get value() {
      return value;
    },
    /** What an answer to something else has told already. */
    set value(known: T | undefined) {
      value = known;
    },
    get problem() {
      // That nothing answers is said above all pages already.
      const said = problem?.status === 0 && live.lost && value !== undefined;
      return said ? undefined : problem;
    },
    again,
  };
}

/** Something that a person starts: whether it is under way, and what came of it. */
export function action() {
  let busy = $state(false);
  let problem = $state.raw<Problem>();
  return {
    get busy() {
      return busy;
    },
    get problem() {
      return problem;
    },
    clear() {
      problem = undefined;
    },
    /** Says whether it went well. */
    async run(work: () => Promise<unknown>): Promise<boolean> {
      if (busy) return false;
      busy = true;
      problem = undefined;
      try {
        await work();
        return true;
      } catch (error) {
        problem = problemOf(error);
        if (problem.status === 401) void doubt();
        return false;
      } finally {
        busy = false;
      }
    },
  };
}
