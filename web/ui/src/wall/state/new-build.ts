// Loads the page again when the server has a new build of it. A build is told by the files that the page names, since
// their names contain a hash of what they hold.

const KEY = 'huhang:wall:builds';
const KEPT = 20;
// Before any part of the page is loaded later on, which would add links of its own.
const own = build(document);

function build(page: Document): string {
  const files = [...page.querySelectorAll('script[src], link[href]')].map((each) => each.getAttribute('src') ?? each.getAttribute('href') ?? '');
  return files.filter((file) => file.startsWith('/assets/')).join(' ');
}

/** Compare the server's page with this one. Each new build is loaded once, so two servers that differ cannot make a loop. */
export async function loadNewBuild(): Promise<void> {
  try {
    const response = await fetch(location.pathname, { cache: 'no-store' });
    if (!response.ok) return;
    const now = build(new DOMParser().parseFromString(await response.text(), 'text/html'));
    const loaded = JSON.parse(sessionStorage.getItem(KEY) ?? '[]') as string[];
    if (now === '' || now === own || loaded.includes(now)) return;
    sessionStorage.setItem(KEY, JSON.stringify([...loaded, now].slice(-KEPT)));
    location.reload();
  } catch {
    // The connection was lost again. The next one asks anew.
  }
}
