// Where a page may send its visitor: a path of this server, whatever an address says.

export function localPath(candidate: string | null, fallback: string): string {
  if (candidate === null || !candidate.startsWith('/')) return fallback;
  try {
    const url = new URL(candidate, location.origin);
    return url.origin === location.origin ? url.pathname + url.search + url.hash : fallback;
  } catch {
    return fallback;
  }
}
