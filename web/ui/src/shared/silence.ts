// When a page says that the server is silent.

/** Milliseconds without an answer, at most, before the page says so. */
const SILENCE = 6_000;
/** Milliseconds between two looks at the clock. An age between two looks must not pass the limit unseen. */
const TICK = 1_000;

/** Whether a server that was last heard `age` milliseconds ago is silent. */
export function isSilent(age: number): boolean {
  return age > SILENCE - TICK;
}
