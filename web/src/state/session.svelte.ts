import { ask, type Me, type RoleName } from '../api/client';
import { problemOf, type Problem } from '../api/problem';

/** Whether somebody is logged in; `expired`: they were, and what they wrote is still there. */
type Standing = 'unknown' | 'first' | 'out' | 'in' | 'expired';

let standing = $state<Standing>('unknown');
let me = $state.raw<Me>();
let problem = $state.raw<Problem>();

const RANK: Record<RoleName, number> = { viewer: 0, operator: 1, admin: 2 };

export const session = {
  get standing() {
    return standing;
  },
  get name() {
    return me?.name ?? '';
  },
  get role() {
    return me?.role ?? 'viewer';
  },
  /** Why it isn't known who is logged in. */
  get problem() {
    return problem;
  },
};

/** Whether the user's role is enough; the daemon decides, the page does not offer what it would refuse. */
export function may(role: RoleName): boolean {
  return RANK[session.role] >= RANK[role];
}

/** Finds out who is logged in. */
export async function look(): Promise<void> {
  problem = undefined;
  try {
    me = await ask('get', '/me');
    standing = 'in';
  } catch (error) {
    const why = problemOf(error);
    if (why.status === 401) return void (await nobody());
    problem = why;
  }
}

async function nobody(): Promise<void> {
  try {
    standing = (await ask('get', '/health')).first ? 'first' : 'out';
  } catch (error) {
    problem = problemOf(error);
  }
}

export async function logIn(name: string, password: string): Promise<void> {
  me = await ask('post', '/login', { body: { name, password } });
  standing = 'in';
}

export async function logOut(): Promise<void> {
  await ask('post', '/logout');
  me = undefined;
  standing = 'out';
}

/** Something was refused because nobody is logged in, it says: a wrong password is refused likewise. */
export async function doubt(): Promise<void> {
  if (standing !== 'in') return;
  try {
    me = await ask('get', '/me');
  } catch (error) {
    if (problemOf(error).status === 401) standing = 'expired';
  }
}
