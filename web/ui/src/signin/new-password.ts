// What a new password must be, as far as the page can tell. The server decides.

import * as m from '#messages';

const SHORTEST = 10;

export function passwordFault(password: string, current = ''): string | undefined {
  if ([...password].length < SHORTEST) return m.password_short({ count: SHORTEST });
  return password === current ? m.password_same() : undefined;
}

export function repeatFault(password: string, repeat: string): string | undefined {
  return password === repeat ? undefined : m.password_differs();
}
