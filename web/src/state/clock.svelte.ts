import { createSubscriber } from 'svelte/reactivity';

const follow = createSubscriber((tick) => {
  const timer = setInterval(tick, 10_000);
  return () => clearInterval(timer);
});

/** The time, as long as somebody looks at it. */
export const clock = {
  get now() {
    follow();
    return new Date();
  },
};
