// The causes of alarms: calls for help that nobody has taken, major hazards that nobody has assigned, red
// warnings, all of the last twelve hours; the numbers beside the map count the older ones. Quieting holds for this screen
// and for a while; a cause that lasts comes back.

import type { StandingQuery } from '#graph';

import * as m from '#messages';

import { clock } from '../../shared/clock.svelte';
import { warningName } from '../../shared/describe';

export type Alarm = {
  /** One cause: a kind and an enterprise or a zone. */
  key: string;
  kind: 'call' | 'major' | 'warning';
  id: string;
  title: { name: string; nameEn?: string | null };
  zone: { name: string; nameEn: string | null } | null;
  ring: { grade: string; venue: { name: string; nameEn: string | null } } | null;
  what: string[];
  count: number;
  first: number;
  last: number;
  /** When the limit was or will be reached; null where there is none. */
  limit: number | null;
  overdue: boolean;
  location: { longitude: number; latitude: number } | null;
};

const KEY = 'huhang:wall:quiet';
/** Milliseconds after which a call for help should have been taken. */
const CALL_LIMIT = 120_000;
export const QUIET_MINUTES = 10;
const QUIET = QUIET_MINUTES * 60_000;
/** A shift. What is older was an alarm to the shift before. */
const RECENT = 12 * 3_600_000;

type Quiet = Record<string, { until: number; count: number }>;

export class Alarms {
  #all = $state.raw<Alarm[]>([]);
  #quiet = $state.raw<Quiet>(JSON.parse(localStorage.getItem(KEY) ?? '{}') as Quiet);

  /** Those that this screen shows, the oldest first. A cause that has got worse is no longer quiet. */
  get shown(): Alarm[] {
    const now = clock.now;
    return this.#all.filter(({ key, count, last }) => {
      if (now - last > RECENT) return false;
      const quiet = this.#quiet[key];
      return !quiet || quiet.until <= now || count > quiet.count;
    });
  }

  take(standing: StandingQuery): void {
    this.#all = [...calls(standing), ...majors(standing), ...warnings(standing)].sort((a, b) => a.first - b.first);
  }

  /** Quiet what is shown, on this screen only. */
  acknowledge(): void {
    const until = Date.now() + QUIET;
    const lasting = new Set(this.#all.map(({ key }) => key));
    const kept = Object.entries(this.#quiet).filter(([key]) => lasting.has(key));
    this.#quiet = { ...Object.fromEntries(kept), ...Object.fromEntries(this.shown.map(({ key, count }) => [key, { until, count }])) };
    localStorage.setItem(KEY, JSON.stringify(this.#quiet));
  }
}

type Enterprise = StandingQuery['calls']['nodes'][number]['enterprise'];

function of(enterprise: Enterprise): Pick<Alarm, 'title' | 'zone' | 'ring' | 'location'> {
  return { title: { name: enterprise.name }, zone: enterprise.zone, ring: enterprise.rings[0] ?? null, location: enterprise.location };
}

function grouped<T>(items: T[], key: (item: T) => string): T[][] {
  const groups = new Map<string, T[]>();
  for (const item of items) groups.set(key(item), [...(groups.get(key(item)) ?? []), item]);
  return [...groups.values()];
}

function calls({ calls: { nodes } }: StandingQuery): Alarm[] {
  return grouped(nodes, ({ enterprise }) => enterprise.id).map((group) => {
    const times = group.map(({ requestedAt }) => Date.parse(requestedAt));
    const { enterprise, id } = group[0]!;
    const first = Math.min(...times);
    return {
      key: `call ${enterprise.id}`, kind: 'call', id: enterprise.id ?? id, ...of(enterprise),
      what: group.map(({ problem }) => problem), count: group.length, first, last: Math.max(...times),
      limit: first + CALL_LIMIT, overdue: false,
    };
  });
}

function majors({ major: { nodes } }: StandingQuery): Alarm[] {
  const waiting = nodes.filter(({ status }) => status === 'FOUND' || status === 'UNDER_REVIEW');
  return grouped(waiting, ({ enterprise }) => enterprise.id).map((group) => {
    const times = group.map(({ foundAt }) => Date.parse(foundAt));
    const { enterprise, deadline } = group[0]!;
    return {
      key: `major ${enterprise.id}`, kind: 'major', id: enterprise.id, ...of(enterprise),
      what: group.map(({ description }) => description), count: group.length, first: Math.min(...times), last: Math.max(...times),
      limit: deadline ? Date.parse(deadline) : null, overdue: group.some(({ overdue }) => overdue),
    };
  });
}

function warnings({ warnings: { nodes } }: StandingQuery): Alarm[] {
  return nodes.filter(({ level }) => level === 'RED').map(({ id, headline, issuedAt, zone, kind, level, automatic }) => ({
    key: `warning ${id}`, kind: 'warning', id: zone?.id ?? id, title: zone ?? { name: headline }, zone, ring: null,
    what: [automatic ? m.event_rain_issued({ warning: warningName(kind, level) }) : headline], count: 1, first: Date.parse(issuedAt), last: Date.parse(issuedAt),
    limit: null, overdue: false, location: null,
  }));
}
