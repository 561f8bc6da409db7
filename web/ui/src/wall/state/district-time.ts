// The time of day and the date in the district's zone, wherever the screen stands.

import type { WallQuery } from '#graph';

import { locale } from '../../shared/locale.svelte';

const zone = (base: WallQuery | null): { timeZone?: string } => (base ? { timeZone: base.district.timeZone } : {});

export function districtTime(at: number, base: WallQuery | null, seconds = true): string {
  return new Intl.DateTimeFormat(locale.format, {
    hour: '2-digit', minute: '2-digit', ...(seconds ? { second: '2-digit' } : {}), hourCycle: 'h23', ...zone(base),
  }).format(at);
}

export function districtDate(at: number, base: WallQuery | null): string {
  return new Intl.DateTimeFormat(locale.format, { weekday: 'short', day: 'numeric', month: locale.current === 'zh' ? 'long' : 'short', ...zone(base) })
    .format(at)
    .replace(/日(?=周)/, '日 ')
    .replace(',', '');
}
