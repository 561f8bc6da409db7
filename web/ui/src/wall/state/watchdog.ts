// Reloads a page that has thrown, since nobody stands at a wall to do it. After several faults in a row it waits longer.

const KEY = 'huhang:wall:faults';
const SHORTEST = 5_000;
const LONGEST = 300_000;
/** Without a fault for so long, the next one counts as the first. */
const FORGET = 600_000;

export function watchForFaults(): void {
  let done = false;
  const fault = (reason: unknown): void => {
    // The browser reports a resize that it puts off as an error; nothing is broken.
    if (done || String(reason).includes('ResizeObserver')) return;
    done = true;
    const wait = nextWait();
    console.error(`The page is loaded again in ${wait / 1000} s.`, reason);
    setTimeout(() => location.reload(), wait);
  };
  addEventListener('error', (event) => {
    if (event.error) fault(event.error);
  });
  addEventListener('unhandledrejection', (event) => fault(event.reason));
}

function nextWait(): number {
  const now = Date.now();
  const before = JSON.parse(sessionStorage.getItem(KEY) ?? 'null') as { at: number; wait: number } | null;
  const wait = before && now - before.at < FORGET ? Math.min(LONGEST, before.wait * 2) : SHORTEST;
  sessionStorage.setItem(KEY, JSON.stringify({ at: now, wait }));
  return wait;
}
