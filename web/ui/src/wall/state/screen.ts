// The layout of the wall that fits the screen. wall.css and the parts draw the same line in their media queries.

import { MediaQuery } from 'svelte/reactivity';

const wide = new MediaQuery('(min-width: 1280px) and (min-aspect-ratio: 5/2)');
const small = new MediaQuery('(max-width: 1279px), (max-aspect-ratio: 133/100)');
const narrow = new MediaQuery('(max-width: 639px), (max-width: 1279px) and (max-height: 599px)');

export const screen = {
  /** A video wall, with a column for one zone. */
  get wide(): boolean { return wide.current; },
  /** The map above, the numbers as a strip below it, the events behind a tab. */
  get tablet(): boolean { return small.current && !narrow.current; },
  /** One column that scrolls, with the map on demand. */
  get phone(): boolean { return narrow.current; },
};
