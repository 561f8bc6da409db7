// Views of tables that were given a name: their addresses, kept in this browser.

const KEY = 'huhang:desk-views';
export type SavedView = { name: string; search: string };

function stored(): SavedView[] {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(KEY) ?? '[]');
    return Array.isArray(value) ? value.filter((each): each is SavedView => typeof each?.name === 'string' && typeof each?.search === 'string') : [];
  } catch {
    return [];
  }
}

let views = $state.raw(stored());

function keep(next: SavedView[]): void {
  views = next;
  localStorage.setItem(KEY, JSON.stringify(next));
}

export const savedViews = {
  get all(): SavedView[] {
    return views;
  },
  /** A name stands for one view: the last that was saved under it. */
  save(name: string, search: string): void {
    keep([...views.filter((view) => view.name !== name), { name, search }].sort((a, b) => a.name.localeCompare(b.name)));
  },
  remove(name: string): void {
    keep(views.filter((view) => view.name !== name));
  },
};
