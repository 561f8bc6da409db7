// The causes of alarms: calls for help that nobody has taken, major hazards that nobody has assigned, red
// warnings, all of the last twelve hours; the numbers beside the map count the older ones. Quieting holds for a while; a
// cause that lasts comes back.

import type { StandingQuery } from '#graph';

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
/** Causes that a screen has quieted: until when, and how often they had been reported then. */
export type Quiet = Record<string, { until: number; count: number }>;
export type StandingWarning = StandingQuery['warnings']['nodes'][number];

/** Milliseconds after which a call for help should have been taken. */
const CALL_LIMIT = 120_000;
export const QUIET_MINUTES = 10;
const QUIET = QUIET_MINUTES * 60_000;
/** A shift. What is older was an alarm to the shift before. */
const RECENT = 12 * 3_600_000;

/** One alarm for each cause, the oldest first. `words` says what a warning is about. */
export function alarmsOf(standing: StandingQuery, words: (warning: StandingWarning) => string): Alarm[] {
  return [...calls(standing), ...majors(standing), ...warnings(standing, words)].sort((a, b) => a.first - b.first);
}

/** Those that a screen shows. A cause that has got worse is no longer quiet. */
export function shownAt(now: number, alarms: Alarm[], quiet: Quiet): Alarm[] {
  return alarms.filter(({ key, count, last }) => {
    if (now - last > RECENT) return false;
    const quieted = quiet[key];
    return !quieted || quieted.until <= now || count > quieted.count;
  });
}

/** The alarms that are quiet after a screen has quieted all that it shows. Causes that are gone are forgotten. */
export function quietAfter(now: number, alarms: Alarm[], quiet: Quiet): Quiet {
  const lasting = new Set(alarms.map(({ key }) => key));
  const kept = Object.entries(quiet).filter(([key]) => lasting.has(key));
  const added = shownAt(now, alarms, quiet).map(({ key, count }) => [key, { until: now + QUIET, count }] as const);
  return { ...Object.fromEntries(kept), ...Object.fromEntries(added) };
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

function warnings({ warnings: { nodes } }: StandingQuery, words: (warning: StandingWarning) => string): Alarm[] {
  return nodes.filter(({ level }) => level === 'RED').map((warning) => {
    const { id, headline, issuedAt, zone } = warning;
    return {
      key: `warning ${id}`, kind: 'warning', id: zone?.id ?? id, title: zone ?? { name: headline }, zone, ring: null,
      what: [words(warning)], count: 1, first: Date.parse(issuedAt), last: Date.parse(issuedAt), limit: null, overdue: false, location: null,
    };
  });
}
