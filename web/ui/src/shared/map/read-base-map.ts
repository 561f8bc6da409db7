// Which base map the server names.

import type { BaseMap } from './base-map';

const AGAIN = 10_000;

/** Null where there is none. Asks until the server answers. */
export async function readBaseMap(): Promise<BaseMap | null> {
  for (;;) {
    try {
      const response = await fetch('/base-map.json');
      if (response.ok) return (await response.json()) as BaseMap | null;
    } catch {
      // The server does not answer, which the page says by itself.
    }
    await new Promise((resolve) => setTimeout(resolve, AGAIN));
  }
}
