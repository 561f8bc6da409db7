// The token of a paired screen, kept by its browser. The wall reads it.

export type ScreenToken = { token: string; name: string; expiresAt: string };

const KEY = 'huhang:screen';

/** Null for a screen that is not paired, or whose token has expired. */
export function readScreenToken(): ScreenToken | null {
  try {
    const value = JSON.parse(localStorage.getItem(KEY) ?? 'null') as ScreenToken | null;
    return value !== null && Date.parse(value.expiresAt) > Date.now() ? value : null;
  } catch {
    return null;
  }
}

export function storeScreenToken(token: ScreenToken | null): void {
  if (token === null) localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, JSON.stringify(token));
}
