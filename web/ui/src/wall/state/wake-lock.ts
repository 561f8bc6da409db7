// Keeps the screen on. The browser ends the lock when the page is hidden, so it is asked for again when it is shown.

export function keepScreenOn(): void {
  const ask = (): void => {
    if (document.visibilityState === 'visible') navigator.wakeLock?.request('screen').catch(() => {});
  };
  document.addEventListener('visibilitychange', ask);
  ask();
}
