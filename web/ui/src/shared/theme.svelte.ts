// Light or dark: what the person chose here before, else what the system says.

export type Theme = 'light' | 'dark';

const CHOICE = 'huhang:theme';
const systemIsLight = matchMedia('(prefers-color-scheme: light)');

function chosen(): Theme | null {
  const value = localStorage.getItem(CHOICE);
  return value === 'light' || value === 'dark' ? value : null;
}

let current = $state<Theme>(chosen() ?? (systemIsLight.matches ? 'light' : 'dark'));

function show(theme: Theme): void {
  current = theme;
  document.documentElement.dataset.theme = theme;
}

export const theme = {
  get current(): Theme {
    return current;
  },

  choose(next: Theme): void {
    localStorage.setItem(CHOICE, next);
    show(next);
  },

  /** Show the theme, and follow the system as long as nobody has chosen. */
  start(): void {
    show(current);
    systemIsLight.addEventListener('change', (event) => {
      if (chosen() === null) show(event.matches ? 'light' : 'dark');
    });
  },
};
