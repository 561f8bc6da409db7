// Times, dates and durations in the page's language.

import { locale } from './locale.svelte';
import * as m from '#messages';

let timeZone: string | undefined;

/** Show all times from now on in this zone, for example Asia/Shanghai, instead of the browser's. */
export function showTimesIn(zone: string): void {
  timeZone = zone;
}

/** The zone in which times are shown: the district's, until it is known the browser's. */
export function shownZone(): string {
  return timeZone ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
}

function format(at: number | Date, options: Intl.DateTimeFormatOptions): string {
  return new Intl.DateTimeFormat(locale.format, { ...options, ...(timeZone === undefined ? {} : { timeZone }) }).format(at);
}

const month = (): 'long' | 'short' => (locale.current === 'zh' ? 'long' : 'short');

export function timeOfDay(at: number): string {
  return format(at, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });
}

export function minuteOfDay(at: number): string {
  return format(at, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
}

export function weekday(at: number): string {
  return format(at, { weekday: 'short', day: 'numeric', month: month() }).replace(/日(?=周)/, '日 ').replace(',', '');
}

/** The day as the graph writes it, for example 2026-11-19. */
export function dateOf(at: number): string {
  return new Intl.DateTimeFormat('en-CA', { year: 'numeric', month: '2-digit', day: '2-digit', ...(timeZone === undefined ? {} : { timeZone }) }).format(at);
}

/** The day alone, for example 11月19日 or 19 Nov. */
export function day(at: string): string {
  return format(new Date(at), { month: month(), day: 'numeric' });
}

/** A day and a time to the minute; with the year if it is another than this one. */
export function moment(at: string | number): string {
  const date = new Date(at);
  const sameYear = format(date, { year: 'numeric' }) === format(new Date(), { year: 'numeric' });
  return format(date, { ...(sameYear ? {} : { year: 'numeric' }), month: month(), day: 'numeric', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
}

/** "12 s", "3 min 10 s", "2 h 5 min", "3 d": at most two units, rounded down. */
export function duration(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  if (seconds < 60) return m.duration_seconds({ seconds });
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return m.duration_minutes({ minutes, seconds: seconds % 60 });
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return m.duration_hours({ hours, minutes: minutes % 60 });
  return m.duration_days({ days: Math.floor(hours / 24) });
}

export function ago(milliseconds: number): string {
  return milliseconds < 1000 ? m.just_now() : m.duration_ago({ duration: duration(milliseconds) });
}

/** A clock difference: one decimal under ten seconds. */
export function difference(milliseconds: number): string {
  const seconds = Math.abs(milliseconds) / 1000;
  return seconds < 10 ? m.duration_seconds({ seconds: seconds.toFixed(1) }) : duration(seconds * 1000);
}

/** A fraction as per cent with one decimal, for example "92.2%". */
export function percent(fraction: number): string {
  return `${(fraction * 100).toFixed(1)}%`;
}

/** "12 s", "3 min", "2 h", "3 d": the largest unit alone, rounded down. */
export function roughDuration(milliseconds: number): string {
  const minutes = Math.floor(Math.max(0, milliseconds) / 60_000);
  if (minutes < 1) return duration(milliseconds);
  if (minutes < 60) return m.duration_minutes_only({ minutes });
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? m.duration_hours_only({ hours }) : m.duration_days({ days: Math.floor(hours / 24) });
}

/** Metres below a kilometre, else kilometres with one decimal. */
export function distance(metres: number): string {
  return metres < 1000 ? `${metres} m` : `${(metres / 1000).toFixed(1)} km`;
}

/** One of eight directions. */
export function compass(degrees: number): string {
  const names = [m.north, m.north_east, m.east, m.south_east, m.south, m.south_west, m.west, m.north_west];
  return names[Math.round(degrees / 45) % 8]!();
}
