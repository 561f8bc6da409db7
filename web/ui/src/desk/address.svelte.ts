// The view of the desk, kept in the address: every view can be opened by its address, and Back leads to the one before.
// `view` names the view and `item` the row in hand; the other parameters belong to the view.

let current = $state.raw(new URLSearchParams(location.search));
addEventListener('popstate', () => (current = new URLSearchParams(location.search)));

function path(parameters: URLSearchParams): string {
  const text = parameters.toString();
  return text ? `${location.pathname}?${text}` : location.pathname;
}

function go(parameters: URLSearchParams, replace: boolean): void {
  if (parameters.toString() === current.toString()) return;
  if (replace) history.replaceState(null, '', path(parameters));
  else history.pushState(null, '', path(parameters));
  current = parameters;
}

export const address = {
  get(name: string): string | null {
    return current.get(name);
  },

  /** All values of a parameter that may be given more than once. */
  all(name: string): string[] {
    return current.getAll(name);
  },

  /** Change parameters; null removes one. `replace` leaves no step for Back. */
  set(changes: Record<string, string | string[] | null>, { replace = false } = {}): void {
    const next = new URLSearchParams(current);
    for (const [name, value] of Object.entries(changes)) {
      next.delete(name);
      for (const each of value === null ? [] : [value].flat()) next.append(name, each);
    }
    go(next, replace);
  },

  /** Open another view, with only these parameters. The desk itself is the view without a name. */
  open(view: string | null, parameters: Record<string, string> = {}): void {
    go(new URLSearchParams({ ...(view === null ? {} : { view }), ...parameters }), false);
  },

  /** The address that `open` leads to, for links. */
  href(view: string | null, parameters: Record<string, string> = {}): string {
    return path(new URLSearchParams({ ...(view === null ? {} : { view }), ...parameters }));
  },
};
