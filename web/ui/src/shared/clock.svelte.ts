// The time on this machine, renewed at each full second.

let now = $state(Date.now());

function tick(): void {
  now = Date.now();
  setTimeout(tick, 1000 - (now % 1000));
}
tick();

export const clock = {
  get now(): number {
    return now;
  },
};
