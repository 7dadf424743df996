import { describe, expect, it } from 'vitest';
import { pause, reader } from '../src/api/sse';

const WHOLE = ': hello\n\nid: 1\ndata: {"a":1}\n\nevent: over\nid: 2\ndata: one\ndata:  two\n\n';

describe('a stream of events', () => {
  it('is the same wherever it is cut', () => {
    const whole = reader()(WHOLE);
    expect(whole).toEqual([
      { event: 'message', id: '1', data: '{"a":1}' },
      { event: 'over', id: '2', data: 'one\n two' },
    ]);
    for (const text of [WHOLE, WHOLE.replaceAll('\n', '\r\n')]) {
      for (let cut = 0; cut <= text.length; cut += 1) {
        const read = reader();
        expect([...read(text.slice(0, cut)), ...read(text.slice(cut))], `cut at ${cut}`).toEqual(whole);
      }
    }
  });

  it('keeps the last id for events without one', () => {
    const read = reader();
    expect(read('id: 7\ndata: x\n\ndata: y\n\n').map((sent) => sent.id)).toEqual(['7', '7']);
  });

  it('has no event before its empty line', () => {
    expect(reader()('data: half\n')).toEqual([]);
  });
});

describe('the pause before another try', () => {
  it('grows to eight seconds, and differs between browsers', () => {
    expect(pause(0, 0)).toBe(250);
    expect(pause(0, 1)).toBe(500);
    expect(pause(3, 1)).toBe(4000);
    expect(pause(50, 1)).toBe(8000);
  });
});
