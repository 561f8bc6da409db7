// What a new password must be, as far as the page can tell. The server decides.

import * as m from '#messages';

const SHORTEST = 10;

export function passwordFault(password: string): string | undefined {
  return [...password].length < SHORTEST ? m.password_short({ count: SHORTEST }) : undefined;
}

export function repeatFault(password: string, repeat: string): string | undefined {
  return password === repeat ? undefined : m.password_differs();
}
