// What waits for the person who is signed in, as counts of the graph.

import { CommanderWaitingDocument, EnterpriseWaitingDocument, InspectorWaitingDocument } from '#graph';
import * as m from '#messages';

import type { Role } from '../shared/auth';
import { GraphError, request } from '../shared/graph/request';

export type WaitingItem = {
  name: () => string;
  /** Null if it is not known. */
  count: number | null;
  /** Past a limit, however few they are. */
  late: boolean;
  /** Since when the first of them waits, if that is counted. */
  since: number | null;
};

type Calls = { totalCount: number; nodes: { requestedAt: string }[] };
type Counts = { status?: string | null; count: number }[];
type Item<T> = { name: () => string; count: (data: T) => number | null; late?: boolean; since?: (data: T) => string | undefined };
/** The items before the first answer, and how they are read. */
type Source = { unknown: WaitingItem[]; read: () => Promise<WaitingItem[]> };

function source<T>(query: () => Promise<T>, items: Item<T>[]): Source {
  const filled = (data: T | null): WaitingItem[] =>
    items.map(({ name, count, late = false, since }) => {
      const first = data === null ? undefined : since?.(data);
      return { name, count: data === null ? null : count(data), late, since: first ? Date.parse(first) : null };
    });
  return { unknown: filled(null), read: async () => filled(await query()) };
}

function sum(counts: Counts, ...statuses: string[]): number {
  return counts.reduce((total, { status, count }) => (status && statuses.includes(status) ? total + count : total), 0);
}

function calls(name: () => string): Item<{ calls: Calls }> {
  return { name, count: (data) => data.calls.totalCount, since: (data) => data.calls.nodes[0]?.requestedAt };
}

const overdue: Item<{ overdue: { totalCount: number } }> = {
  name: m.start_waiting_overdue,
  count: (data) => data.overdue.totalCount,
  late: true,
};

const SOURCES: Partial<Record<Role, Source>> = {
  COMMANDER: source(() => request(CommanderWaitingDocument, {}, null), [
    calls(m.start_waiting_calls),
    overdue,
    { name: m.start_waiting_assign, count: (data) => sum(data.hazards, 'FOUND', 'UNDER_REVIEW') },
    { name: m.start_waiting_accept, count: (data) => sum(data.hazards, 'PENDING_ACCEPTANCE') },
    { name: m.start_waiting_close, count: (data) => sum(data.hazards, 'ACCEPTED') },
    { name: m.start_waiting_plan, count: (data) => sum(data.inspections, 'PLANNED') },
    { name: m.start_waiting_review, count: (data) => sum(data.inspections, 'SUBMITTED', 'IN_REVIEW') },
    { name: m.start_waiting_cases, count: (data) => data.cases.totalCount },
    { name: m.start_waiting_dispatches, count: (data) => data.dispatches.totalCount },
  ]),
  INSPECTOR: source(() => request(InspectorWaitingDocument, {}, null), [
    { name: m.start_waiting_acknowledge, count: (data) => data.viewer.inspector?.dispatched.totalCount ?? null },
    { name: m.start_waiting_under_way, count: (data) => data.viewer.inspector?.underWay.totalCount ?? null },
  ]),
  ENTERPRISE: source(() => request(EnterpriseWaitingDocument, {}, null), [
    overdue,
    { name: m.start_waiting_start, count: (data) => sum(data.hazards, 'ASSIGNED') },
    { name: m.start_waiting_rectify, count: (data) => sum(data.hazards, 'RECTIFYING') },
    calls(m.start_waiting_own_calls),
  ]),
};

export class Waiting {
  /** Empty for those for whom nothing waits here. */
  items = $state.raw<WaitingItem[]>([]);
  /** When they were read; 0 before the first answer. */
  at = $state(0);
  /** The code of the last refusal, until an answer comes. */
  failed = $state<string | null>(null);

  #role: Role | null = null;

  /** Read it for who is signed in now; null for nobody. */
  async ask(role: Role | null): Promise<void> {
    const from = role === null ? undefined : SOURCES[role];
    if (role !== this.#role) {
      this.#role = role;
      this.items = from?.unknown ?? [];
      this.at = 0;
      this.failed = null;
    }
    if (!from) return;
    try {
      const items = await from.read();
      if (role !== this.#role) return;
      this.items = items;
      this.at = Date.now();
      this.failed = null;
    } catch (error) {
      if (!(error instanceof GraphError)) throw error;
      if (role === this.#role) this.failed = error.code;
    }
  }
}
