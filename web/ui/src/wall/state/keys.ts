// The keys of the wall. They rest in text fields and while a modifier is held.

type Keys = Record<'c' | 'f' | 'l' | 'p' | 'r' | 's' | '?' | '/' | 'Enter' | 'Escape', () => void> & { zone: (number: number) => void; any: () => void };

export function onKey(keys: Keys): void {
  addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.target instanceof Element && event.target.closest('input, textarea, select')) return;
    if (event.key === 'Enter' && event.target instanceof Element && event.target.closest('button, a')) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    // The key that opens a text field must not be typed into it.
    if (key === '/') event.preventDefault();
    if (key !== 'r') keys.any();
    if (/^[0-4]$/.test(key)) keys.zone(Number(key));
    else if (key === 'c' || key === 'p' || key === 'f' || key === 'l' || key === 'r' || key === 's' || key === '?' || key === '/' || key === 'Enter' || key === 'Escape') keys[key]();
  });
  addEventListener('pointerdown', () => keys.any());
  // A click does not give a button the focus, so that Enter goes on to mean the alarm.
  addEventListener('mousedown', (event) => {
    if (event.target instanceof Element && event.target.closest('button')) event.preventDefault();
  });
}
