// The work that waits, as stacks of like work: of each its group, its mark, and in words why it waits.

import type { QueueDispatchFragment, QueueHazardFragment, QueueInspectionFragment, QueueQuery, RiskGrade } from '#graph';
import * as m from '#messages';

import type { WaitingScreen } from './screens';
import { badgeNumber, inspectionName, warningName } from '../../shared/describe';
import { roughDuration } from '../../shared/format';
import { localName } from '../../shared/local-name';
import { dayEnd } from './limits';

/** By what it costs to wait: past the limit or a call for help; to be decided today; what has no limit today. */
export const GROUPS = ['now', 'today', 'later'] as const;
export type Group = (typeof GROUPS)[number];
export type RowMark = RiskGrade | 'late' | 'wait' | 'none' | null;

/** One piece of work. */
export type Work = {
  /** The id of its row; of a screen its code. */
  id: string;
  title: string;
  /** The subject of the work, in the list of its stack. */
  about: string;
  place: string;
  mark: RowMark;
  /** Since when it waits, and by when it is to be done; null if not known or without a limit. */
  since: number | null;
  due: number | null;
};

/** Like work: one row of the queue. */
export type Stack = {
  key: string;
  group: Group;
  kind: string;
  /** The name of one piece of work, or how many there are of what. */
  title: string;
  reason: string;
  count: number;
  /** The first of them, most urgent first; fewer than `count` where there are many. */
  works: Work[];
};

type Zoned = { zone: { name: string; nameEn?: string | null } | null } | null;
const zoneOf = (of: Zoned): string => (of?.zone ? localName(of.zone).replace(/战区$| Zone$/, '') : '');
const at = (time: string | null): number | null => (time === null ? null : Date.parse(time));

/** Up to so many of a kind have a row each. */
const APART = 2;

type Kind<T> = {
  key: string;
  group: (work: Work, now: number) => Group;
  kind: () => string;
  many: (values: { count: number }) => string;
  work: (row: T) => Work;
  /** Why it waits. */
  reason: (work: Work, now: number) => string;
};

function hazard({ id, description, enterprise, level, deadline }: QueueHazardFragment, since: string | null, due: number | null = at(deadline)): Work {
  return { id, title: enterprise.name, about: description, place: zoneOf(enterprise), mark: level === 'MAJOR' ? 'RED' : 'YELLOW', since: at(since), due };
}

export function officerName(inspector: { badge: string; fullName: string | null } | undefined): string {
  if (!inspector) return m.desk_nobody();
  return inspector.fullName ?? m.officer_number({ badge: badgeNumber(inspector.badge) });
}

function inspection(row: QueueInspectionFragment, since: string | null, title: string, due: number | null): Work {
  const about = `${inspectionName(row.kind)} ${row.inspectors.map(officerName).join(m.list_separator())}`;
  return { id: row.id, title, about, place: zoneOf(row.enterprise), mark: row.enterprise.riskGrade, since: at(since), due };
}

export function resourceTitle(resource: QueueDispatchFragment['resource']): string | null {
  if (resource?.__typename === 'Team' || resource?.__typename === 'StockItem') return resource.name;
  return resource?.__typename === 'Expert' ? (resource.fullName ?? m.expert()) : null;
}

function dispatch(row: QueueDispatchFragment, limit: number | null): Work {
  const requested = Date.parse(row.requestedAt);
  return {
    id: row.id, title: resourceTitle(row.resource) ?? row.enterprise?.name ?? row.purpose, about: `${row.purpose} ${row.enterprise?.name ?? ''}`.trim(),
    place: zoneOf(row.enterprise), mark: limit === null ? 'none' : 'late', since: requested, due: limit === null ? null : requested + limit,
  };
}

const waited = (work: Work, now: number): string => (work.since === null ? work.about : m.desk_reason_waits({ what: work.about, duration: roughDuration(now - work.since) }));
const past = ({ due }: Work, now: number): boolean => due !== null && due < now;
const today = (work: Work, now: number): Group => (past(work, now) ? 'now' : work.due === null || work.due > dayEnd(now) ? 'later' : 'today');

const late = (key: string, kind: () => string, many: Kind<never>['many']): Kind<QueueHazardFragment> => ({
  key, kind, many, group: () => 'now', work: (row) => hazard(row, row.foundAt), reason: ({ about }) => m.desk_reason_late({ what: about }),
});
const accept = (key: string, many: Kind<never>['many']): Kind<QueueHazardFragment> => ({
  key, kind: m.desk_kind_accept, many, group: () => 'today', work: (row) => ({ ...hazard(row, row.rectifiedAt), due: null }), reason: waited,
});
const assign = (key: string, many: Kind<never>['many'], group: Group): Kind<QueueHazardFragment> => ({
  key, kind: m.desk_kind_assign, many, group: () => group, work: (row) => hazard(row, row.foundAt, null), reason: waited,
});

/** The limit for confirming a dispatch, and for taking a call for help. */
export const CONFIRM = 3 * 60_000;
export const CALL = 2 * 60_000;

function stack<T>(of: Kind<T>, list: { totalCount: number; nodes: T[] }, now: number): Stack[] {
  const works = list.nodes.map(of.work);
  if (list.totalCount <= APART) {
    return works.map((work) => ({ key: `${of.key}:${work.id}`, group: of.group(work, now), kind: of.kind(), title: work.title, reason: of.reason(work, now), count: 1, works: [work] }));
  }
  const first = works[0]!;
  const names = [...new Set(works.slice(0, 6).map(({ title }) => title))].slice(0, 2).join(m.list_separator());
  return [{ key: of.key, group: of.group(first, now), kind: of.kind(), title: of.many({ count: list.totalCount }), reason: m.desk_reason_many({ names }), count: list.totalCount, works }];
}

/** Calls of one enterprise are one row: whoever goes there helps with all. */
function calls(queue: QueueQuery, now: number): Stack[] {
  const all = new Map<string, QueueQuery['calls']['nodes']>();
  for (const call of queue.calls.nodes) all.set(call.enterprise.id, [...(all.get(call.enterprise.id) ?? []), call]);
  const stacks = [...all.values()].map((of): Stack => {
    const sorted = of.toSorted((a, b) => Date.parse(a.requestedAt) - Date.parse(b.requestedAt));
    const { enterprise, requestedAt, id, problem } = sorted[0]!;
    const since = Date.parse(requestedAt);
    const work: Work = { id, title: enterprise.name, about: problem, place: zoneOf(enterprise), mark: enterprise.riskGrade, since, due: since + CALL };
    const reason = of.length > 1 ? m.desk_reason_calls({ count: of.length, what: problem }) : problem;
    return { key: `call:${enterprise.id}`, group: 'now', kind: m.desk_kind_call(), title: enterprise.name, reason, count: of.length, works: [work] };
  });
  const grades = ['RED', 'ORANGE', 'YELLOW', 'BLUE', null];
  const late = (each: Stack): number => Number(past(each.works[0]!, now));
  return stacks.sort((a, b) => late(b) - late(a) || grades.indexOf(a.works[0]!.mark as RiskGrade) - grades.indexOf(b.works[0]!.mark as RiskGrade) || a.works[0]!.since! - b.works[0]!.since!);
}

export function stacksOf(queue: QueueQuery, screens: WaitingScreen[], now: number): Stack[] {
  const extension: Kind<QueueQuery['extensions']['nodes'][number]> = {
    key: 'extension', kind: m.desk_kind_extension, many: m.desk_many_extensions, group: today,
    work: (row) => hazard(row, row.extensions.find(({ status }) => status === 'REQUESTED')?.requestedAt ?? null), reason: waited,
  };
  const confirm: Kind<QueueInspectionFragment> = {
    key: 'unanswered', kind: m.desk_kind_dispatch, many: m.desk_many_unanswered, group: (work, now) => (past(work, now) ? 'now' : 'today'),
    work: (row) => ({ ...inspection(row, row.dispatchedAt, officerName(row.inspectors[0]), row.dispatchedAt === null ? null : Date.parse(row.dispatchedAt) + CONFIRM), mark: 'late' }),
    reason: ({ place }) => m.desk_reason_unanswered({ place }),
  };
  const sent: Kind<QueueDispatchFragment> = { ...confirm, key: 'unconfirmed', many: m.desk_many_unconfirmed, work: (row) => dispatch(row, CONFIRM), reason: ({ about }) => about };
  const inspected = (key: string, many: Kind<never>['many'], group: Group): Kind<QueueInspectionFragment> => ({
    key, kind: m.desk_kind_review, many, group: () => group, work: (row) => inspection(row, row.submittedAt, row.enterprise.name, null), reason: waited,
  });
  const stacks = [
    ...calls(queue, now),
    ...stack(confirm, queue.unanswered, now),
    ...stack(sent, queue.unconfirmed, now),
    ...stack(late('late-major', m.desk_kind_late_major, m.desk_many_late_major), queue.lateMajor, now),
    ...stack(late('late-general', m.desk_kind_late, m.desk_many_late), queue.lateGeneral, now),
    ...queue.warnings.nodes.map(({ id, kind, level, headline, issuedAt, zone }): Stack => {
      const work: Work = { id, title: warningName(kind, level), about: headline, place: zone ? zoneOf({ zone }) : m.district_all(), mark: level, since: Date.parse(issuedAt), due: null };
      return { key: `warning:${id}`, group: 'today', kind: m.desk_kind_warning(), title: work.title, reason: headline, count: 1, works: [work] };
    }),
    ...stack({ key: 'unassigned', kind: m.desk_kind_dispatch, many: m.desk_many_unassigned, group: () => 'today' as const, work: (row: QueueDispatchFragment) => dispatch(row, null), reason: waited }, queue.unassigned, now),
    ...stack(assign('assign-major', m.desk_many_assign_major, 'today'), queue.assignMajor, now),
    ...stack(accept('accept-major', m.desk_many_accept_major), queue.acceptMajor, now),
    ...stack(extension, queue.extensions, now),
    ...stack(accept('accept-general', m.desk_many_accept), queue.acceptGeneral, now),
    ...stack(inspected('submitted', m.desk_many_submitted, 'today'), queue.submitted, now),
    ...stack(assign('assign-general', m.desk_many_assign, 'today'), queue.assignGeneral, now),
    ...stack({ key: 'screen', kind: m.desk_kind_screen, many: m.desk_many_screens, group: () => 'later' as const, work: screenWork, reason: ({ about }: Work) => about }, { totalCount: screens.length, nodes: screens }, now),
    ...stack(inspected('in-review', m.desk_many_in_review, 'later'), queue.inReview, now),
    ...stack(
      { key: 'case', kind: m.desk_kind_case, many: m.desk_many_cases, group: () => 'later' as const, work: (row: QueueQuery['cases']['nodes'][number]): Work => ({ id: row.id, title: row.enterprise.name, about: row.grounds, place: zoneOf(row.enterprise), mark: row.enterprise.riskGrade, since: at(row.inspection.submittedAt), due: null }), reason: waited },
      queue.cases, now,
    ),
    ...stack({ key: 'close', kind: m.desk_kind_close, many: m.desk_many_close, group: () => 'later' as const, work: (row: QueueHazardFragment) => hazard(row, row.acceptedAt, null), reason: waited }, queue.close, now),
    ...stack({ key: 'planned', kind: m.desk_kind_plan, many: m.desk_many_planned, group: today, work: (row: QueueInspectionFragment): Work => inspection(row, null, row.enterprise.name, at(row.plannedFor)), reason: ({ about }: Work) => about }, queue.planned, now),
  ];
  return GROUPS.flatMap((group) => stacks.filter((each) => each.group === group));
}

function screenWork({ userCode, address, createdAt, expiresAt }: WaitingScreen): Work {
  return { id: userCode, title: m.desk_screen_code({ code: userCode }), about: address ?? '', place: '', mark: 'none', since: Date.parse(createdAt), due: Date.parse(expiresAt) };
}
