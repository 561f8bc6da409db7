// Names of places in the page's language.

import { locale } from './locale.svelte';

/** The English name where the page is English and there is one, else the Chinese. A zone goes without "战区". */
export function localName(place: { name: string; nameEn?: string | null }): string {
  return (locale.current === 'en' && place.nameEn) || place.name.replace(/战区$/, '');
}
