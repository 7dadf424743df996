/** How a step stands. */
export type Standing = 'running' | 'waiting' | 'done' | 'failed' | 'skipped';

/** A step of a run on a machine, as its events tell it. */
export interface Step {
  key: string;
  /** Empty for the cluster's API. */
  machine: string;
  title: string;
  standing: Standing;
  /** Seconds that it took; not known as long as it isn't over. */
  took?: number;
  /** What it waits for, why it failed or was left out. */
  note: string;
  /** What was changed. */
  changes: string[];
  /** What tools said last. */
  output: string[];
}

/** Most lines of a tool's words that are kept of a step. */
const LINES = 200;

const text = (value: unknown): string => (typeof value === 'string' ? value : '');
const number = (value: unknown): number => (typeof value === 'number' ? value : 0);

/** A run as its events tell it: the lines of `bramble up --output json`. */
export class Story {
  /** Steps in the order of their begin. */
  readonly steps = new Map<string, Step>();
  /** Parts that have begun; steps of another part are other steps. */
  private part = 0;

  /** Takes in one line; what is no event says nothing. */
  line(line: string): void {
    let event: unknown;
    try {
      event = JSON.parse(line);
    } catch {
      return;
    }
    if (event !== null && typeof event === 'object') this.event(event as Record<string, unknown>);
  }

  private event(event: Record<string, unknown>): void {
    const kind = text(event.event);
    if (kind === 'begin') {
      this.part += 1;
      return;
    }
    if (kind === 'end' || kind === '') return;
    const step = this.step(text(event.machine), text(event.step));
    const inside = event.resource !== undefined;
    switch (kind) {
      case 'started':
        if (inside) step.note = text(event.title);
        else if (text(event.title)) step.title = text(event.title);
        this.goes(step);
        break;
      case 'changed':
        step.changes.push(text(event.title));
        break;
      case 'waiting':
        step.standing = 'waiting';
        step.note = `waiting for ${text(event.what)}`;
        break;
      case 'upload':
        this.goes(step);
        step.note = `sending ${size(number(event.bytes))} of ${size(number(event.total))}`;
        break;
      case 'output':
        step.output.push(text(event.line));
        if (step.output.length > LINES) step.output.shift();
        break;
      case 'answers':
      case 'finished':
        this.ends(step, 'done', '');
        step.took = number(event.took);
        break;
      case 'failed':
        this.ends(step, 'failed', text(event.message));
        if (Array.isArray(event.log)) step.output = event.log.map(text);
        break;
      case 'skipped':
        this.ends(step, 'skipped', `because ${text(event.because)} failed`);
        break;
    }
  }

  /** Steps that are over, or all others. */
  that(over: boolean): Step[] {
    const is = (step: Step) => step.standing === 'running' || step.standing === 'waiting';
    return [...this.steps.values()].filter((step) => is(step) !== over);
  }

  /** Nothing goes on once a run is over, whatever its events left open. */
  close(): void {
    for (const step of this.that(false)) this.ends(step, 'skipped', 'stopped');
  }

  private goes(step: Step): void {
    if (step.standing === 'waiting') step.standing = 'running';
  }

  private ends(step: Step, standing: Standing, note: string): void {
    step.standing = standing;
    step.note = note;
  }

  private step(machine: string, name: string): Step {
    const key = `${this.part} ${machine} ${name}`;
    let step = this.steps.get(key);
    if (!step) {
      step = {
        key,
        machine,
        title: name || 'connection',
        standing: 'running',
        note: '',
        changes: [],
        output: [],
      };
      this.steps.set(key, step);
    }
    return step;
  }
}

/** A number of bytes for people. */
export function size(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1e6) return `${Math.round(bytes / 1000)} kB`;
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}
