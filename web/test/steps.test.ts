import { describe, expect, it } from 'vitest';
import { size, Story } from '../src/lib/steps';

function story(...events: object[]): Story {
  const story = new Story();
  story.line('no event');
  story.line('null');
  for (const event of events) story.line(JSON.stringify(event));
  return story;
}

const at = (machine: string, step: string) => ({ machine, step });

describe('a run', () => {
  it('has its steps in the order of their begin, those that are over apart', () => {
    const it = story(
      { event: 'begin', steps: 3 },
      { ...at('one', 'base'), event: 'started', title: 'base packages' },
      { ...at('two', 'base'), event: 'started', title: 'base packages' },
      { ...at('one', 'base'), resource: 'package jq', event: 'changed', title: 'install jq', took: 1 },
      { ...at('one', 'base'), event: 'finished', changes: 1, took: 2.5 },
    );
    expect(it.that(false).map((s) => s.machine)).toEqual(['two']);
    const [done] = it.that(true);
    expect(done).toMatchObject({
      title: 'base packages',
      standing: 'done',
      changes: ['install jq'],
      took: 2.5,
    });
  });

  it('says what a step waits for, and goes on', () => {
    const it = story(
      { ...at('one', ''), event: 'waiting', what: 'SSH', since: 3 },
      { ...at('one', 'sending'), event: 'started', title: 'sending' },
      { ...at('one', 'sending'), event: 'upload', bytes: 1_500_000, total: 3_000_000 },
    );
    const [connection, sending] = it.that(false);
    expect(connection).toMatchObject({ title: 'connection', standing: 'waiting', note: 'waiting for SSH' });
    expect(sending?.note).toBe('sending 1.5 MB of 3.0 MB');
    it.line(JSON.stringify({ ...at('one', ''), event: 'answers', took: 4 }));
    expect(it.that(true)[0]).toMatchObject({ standing: 'done', note: '' });
  });

  it('keeps why a step failed, with what explains it', () => {
    const it = story(
      { ...at('two', 'join'), event: 'output', line: 'tried' },
      { ...at('two', 'join'), event: 'failed', message: 'no route', log: ['a', 'b'] },
      { ...at('', 'nodes'), event: 'skipped', because: 'join on two' },
    );
    expect(it.that(true)).toMatchObject([
      { standing: 'failed', note: 'no route', output: ['a', 'b'] },
      { standing: 'skipped', note: 'because join on two failed' },
    ]);
  });

  it('has nothing under way once it is closed', () => {
    const it = story({ ...at('one', 'base'), event: 'started', title: 'base' });
    it.close();
    expect(it.that(false)).toEqual([]);
  });

  it('does a step of another part anew', () => {
    const done = { ...at('one', 'base'), event: 'finished', changes: 0, took: 1 };
    const it = story({ event: 'begin' }, done, { event: 'begin' }, done);
    expect(it.that(true)).toHaveLength(2);
  });

  it('keeps the last lines of a step that says much', () => {
    const lines = Array.from({ length: 500 }, (_, i) => ({
      ...at('one', 'x'),
      event: 'output',
      line: `${i}`,
    }));
    const [step] = story(...lines).that(false);
    expect(step?.output).toHaveLength(200);
    expect(step?.output.at(-1)).toBe('499');
  });
});

describe('a size', () => {
  it('has the unit that fits', () => {
    expect([999, 12_400, 2_340_000, 3_210_000_000].map(size)).toEqual([
      '999 B',
      '12 kB',
      '2.3 MB',
      '3.21 GB',
    ]);
  });
});
