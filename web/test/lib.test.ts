import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { address } from '../src/api/client';
import { lineAt, mistakes, standing } from '../src/lib/file';
import { pixels, secondsUntil } from '../src/lib/frame';
import { labels, object, written } from '../src/lib/labels';
import { often } from '../src/lib/often';
import { profileOf, writtenOf } from '../src/lib/profile';
import { path, place } from '../src/lib/routes';
import { inWords, sameWords, templateOf, writtenOf as writtenTemplate } from '../src/lib/template';
import { actor, ago, count, lasting } from '../src/lib/words';

describe('a place', () => {
  it('is known by its path, and back', () => {
    expect(place('/')).toEqual({ page: 'clusters' });
    expect(place('/clusters/')).toEqual({ page: 'clusters' });
    expect(place('/clusters/home')).toEqual({ page: 'cluster', name: 'home' });
    expect(place(path('buttons', 'a/b ü'))).toEqual({ page: 'button', name: 'a/b ü' });
    for (const nowhere of ['/x', '/clusters/a/b', '/clusters/%ff', '/runs', '/machines/one', '/toString/x']) {
      expect(place(nowhere), nowhere).toEqual({ page: 'nowhere' });
    }
  });
});

describe('an address of the API', () => {
  it('has its parameters, written safely', () => {
    expect(address('/clusters/{name}/runs', { name: 'a/b' })).toBe('/api/v1/clusters/a%2Fb/runs');
    expect(address('/audit', {}, { behind: 3 })).toBe('/api/v1/audit?behind=3');
  });
});

describe('labels', () => {
  it('are read as they are written', () => {
    const all = { disk: 'ssd', room: 'the cellar', empty: '' };
    expect(labels(written(all))).toEqual(all);
    expect(labels(' ')).toEqual({});
  });

  it('say what is wrong with them', () => {
    expect(labels('disk')).toMatch(/“disk” is no label/);
    expect(labels('=x')).toMatch(/no label/);
    expect(labels('a=1, a=2')).toMatch(/twice/);
  });
});

describe('an object in JSON', () => {
  it('is read, or what is wrong is said', () => {
    expect(object('')).toEqual({});
    expect(object('{"a":[1]}')).toEqual({ a: [1] });
    expect(object('[1]')).toMatch(/no object/);
    expect(object('{a}')).toMatch(/no JSON/);
  });
});

describe('the seconds until a button hears again', () => {
  it('are whole ones, down to none', () => {
    expect(secondsUntil(31_000, 1_000)).toBe(30);
    expect(secondsUntil(31_000, 30_001)).toBe(1);
    expect(secondsUntil(31_000, 31_000)).toBe(0);
    expect(secondsUntil(31_000, 40_000)).toBe(0);
  });
});

describe('a frame', () => {
  const white = [255, 255, 255] as const;
  const black = [0, 0, 0] as const;
  const base64 = (bytes: number[]) => btoa(String.fromCharCode(...bytes));

  it('has its leftmost pixel in the highest bit', () => {
    const bytes = new Array<number>(1024).fill(0);
    bytes[0] = 0b1000_0001;
    bytes[16] = 0b0100_0000;
    const lit: number[] = [];
    pixels(base64(bytes), white, black)?.forEach((value, i) => {
      if (i % 4 === 0 && value > 0) lit.push(i / 4);
    });
    expect(lit).toEqual([0, 7, 129]);
  });

  it('is none if it is of another size, or no base64', () => {
    expect(pixels(base64([1, 2]), white, black)).toBeUndefined();
    expect(pixels('§', white, black)).toBeUndefined();
  });
});

describe('a draft', () => {
  it('knows whether somebody else was faster', () => {
    expect(standing({ text: 'b', base: 'a' }, 'a')).toBe('changed');
    expect(standing({ text: 'b', base: 'a' }, 'b')).toBe('same');
    expect(standing({ text: 'b', base: 'a' }, 'c')).toBe('overtaken');
  });
});

describe('a profile', () => {
  it('is the same after its form', () => {
    const profile = { template: 'small', plugin: 'calico', lifetime: 5400, teardown: true };
    expect(profileOf(writtenOf(profile))).toEqual(profile);
    expect(profileOf({ ...writtenOf(), template: 't' })).toEqual({ template: 't', teardown: false });
  });
});

describe('words', () => {
  it('tell times as people do', () => {
    const now = new Date('2026-01-02T12:00:00Z');
    const at = (seconds: number) => ago(new Date(now.getTime() + seconds * 1000), now);
    expect([-3, -30, -200, -7300, -86_400, 7300].map(at)).toEqual([
      'just now',
      '30 seconds ago',
      '3 minutes ago',
      '2 hours ago',
      'yesterday',
      'in 2 hours',
    ]);
  });

  it('tell durations', () => {
    expect([0.42, 12.4, 60, 185, 7800, 259_200].map(lasting)).toEqual([
      '0.4 s',
      '12 s',
      '1 min',
      '3 min 5 s',
      '2 h 10 min',
      '3 d',
    ]);
  });

  it('tell who and how many', () => {
    expect(actor({ button: 'hall' })).toBe('button hall');
    expect(actor({ daemon: 'its time is over' })).toBe('the daemon (its time is over)');
    expect([count(1, 'worker'), count(2, 'worker')]).toEqual(['1 worker', '2 workers']);
  });
});

describe('something that is wished for often', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('happens at once, then once more for all that came meanwhile', async () => {
    let times = 0;
    const work = often(100, async () => void (times += 1));
    for (let i = 0; i < 10; i += 1) work();
    expect(times).toBe(1);
    await vi.advanceTimersByTimeAsync(1000);
    expect(times).toBe(2);
    work();
    expect(times).toBe(3);
  });
});

describe('mistakes of a file', () => {
  it('are found at their lines', () => {
    const detail = `error[unknown]: unknown field
 --> lights.yaml:4:12
  |
4 | rules: --> x:9:9
error[unknown]: another
  --> lights.yaml:11:3
error: lights.yaml has 2 problems
`;
    expect(mistakes(detail)).toEqual([4, 11]);
    expect(mistakes('there is no such user')).toEqual([]);
    expect(mistakes()).toEqual([]);
  });

  it('are lines of what is written', () => {
    const text = 'one\n\nthree';
    const line = (number: number) => text.slice(...lineAt(text, number));
    expect([1, 2, 3, 9].map(line)).toEqual(['one', '', 'three', 'three']);
  });
});

describe('a template', () => {
  const said = {
    origin: 'pool',
    controlPlanes: 3,
    workers: 1,
    labels: { disk: 'ssd' },
    spec: { addons: [] },
  } as const;

  it('is what is written in its form', () => {
    expect(templateOf(writtenTemplate(structuredClone(said))).said).toEqual(said);
    expect(templateOf(writtenTemplate()).said?.spec).toEqual({});
    expect(inWords(said)).toBe('3 control planes and 1 worker of the pool, disk=ssd');
    expect(sameWords(said, structuredClone(said))).toBe(true);
    expect(sameWords(said, { ...said, workers: 7 })).toBe(false);
  });

  it('says what is wrong with it', () => {
    const wrong = templateOf({ ...writtenTemplate(), labels: 'disk', spec: '[]' });
    expect(wrong.said).toBeUndefined();
    expect(wrong.labels).toMatch(/no label/);
    expect(wrong.spec).toMatch(/no object/);
  });
});
