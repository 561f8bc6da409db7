// The view of the wall, kept in the address: every view can be opened by its address, and Back leads to the one before.

type Name = 'zone' | 'venue' | 'enterprise';

function read(): Record<Name, string | null> & { kiosk: boolean } {
  const search = new URLSearchParams(location.search);
  return { zone: search.get('zone'), venue: search.get('venue'), enterprise: search.get('enterprise'), kiosk: search.has('kiosk') };
}

let current = $state.raw(read());
addEventListener('popstate', () => (current = read()));

function set(name: Name, value: string | null): void {
  if (current[name] === value) return;
  const address = new URL(location.href);
  if (value === null) address.searchParams.delete(name);
  else address.searchParams.set(name, value);
  history.pushState(null, '', address);
  current = read();
}

export const view = {
  get kiosk(): boolean { return current.kiosk; },
  get zone(): string | null { return current.zone; },
  set zone(id: string | null) { set('zone', id); },
  get venue(): string | null { return current.venue; },
  set venue(id: string | null) { set('venue', id); },
  get enterprise(): string | null { return current.enterprise; },
  set enterprise(id: string | null) { set('enterprise', id); },

  /** Close what was opened last: the file, the venue, the zone. */
  back(): void {
    const open = (['enterprise', 'venue', 'zone'] as const).find((name) => current[name] !== null);
    if (open) set(open, null);
  },
};
