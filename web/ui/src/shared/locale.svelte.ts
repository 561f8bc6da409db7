// The language of the page: what the person chose here before, else the browser's, else Chinese.

import { getLocale, overwriteGetLocale, setLocale } from '#runtime';

export type Locale = 'zh' | 'en';

const LANGUAGE_TAGS: Record<Locale, string> = { zh: 'zh-CN', en: 'en' };
// British dates: 27 Nov, as the rest of the world writes them.
const FORMATS: Record<Locale, string> = { zh: 'zh-CN', en: 'en-GB' };

let current = $state<Locale>(getLocale());

// Messages read the locale through this function, so a change of language redraws them without loading the page again,
// and what was typed stays.
overwriteGetLocale(() => current);

export const locale = {
  get current(): Locale {
    return current;
  },

  /** The language tag for `lang`. */
  get tag(): string {
    return LANGUAGE_TAGS[current];
  },

  /** The locale for Intl. */
  get format(): string {
    return FORMATS[current];
  },

  get other(): Locale {
    return current === 'zh' ? 'en' : 'zh';
  },

  choose(next: Locale): void {
    void setLocale(next, { reload: false });
    current = next;
  },
};
