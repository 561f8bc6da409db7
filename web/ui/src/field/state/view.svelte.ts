// The view that is shown: the parts of the address's fragment, for example #/inspection/ID/findings/0. The service worker keeps
// one page for all of them.

let parts = $state<string[]>(read());

function read(): string[] {
  return location.hash.replace(/^#\/?/, '').split('/').filter((part) => part !== '').map(decodeURIComponent);
}

addEventListener('hashchange', () => {
  parts = read();
  document.querySelector('main')?.scrollTo(0, 0);
});

export function hrefOf(...path: (string | number)[]): string {
  return `#/${path.map((part) => encodeURIComponent(part)).join('/')}`;
}

export const view = {
  get name(): string {
    return parts[0] ?? '';
  },
  /** A part after the name; undefined if the address has none. */
  part: (index: number): string | undefined => parts[index],

  open(...path: (string | number)[]): void {
    location.hash = hrefOf(...path);
  },

  /** Show another view in place of this one, so that "back" does not return to it. */
  replace(...path: (string | number)[]): void {
    history.replaceState(null, '', hrefOf(...path));
    parts = read();
  },
};
