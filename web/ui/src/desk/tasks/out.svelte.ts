// Those who are out: officers on their way or at work, and resources that were sent. Those who have not confirmed come first.

import { OutDocument, type OutQuery } from '#graph';
import * as m from '#messages';

import { clock } from '../../shared/clock.svelte';
import { Reader } from '../../shared/graph/reader.svelte';
import { request } from '../../shared/graph/request';
import type { Desk } from '../state/desk.svelte';
import { CONFIRM, officerName, resourceTitle } from './stacks';

export type Away = {
  id: string;
  name: string;
  place: string;
  status: string;
  /** late: past the limit without confirming; wait: within it; ok: confirmed. */
  state: 'late' | 'wait' | 'ok';
  since: number;
  /** The share of the limit that is used, 0 to 1. */
  used: number;
  phone: string | null;
};

const WORK = /^(INSPECTION|DISPATCH|ASSISTANCE)_/;
const REST = 400;
const RANK = { late: 0, wait: 1, ok: 2 };
const STATUS = {
  DISPATCHED: m.out_not_confirmed, ASSIGNED: m.out_not_confirmed, ACKNOWLEDGED: m.inspected_acknowledged, EN_ROUTE: m.inspected_en_route, ON_SITE: m.inspected_on_site, ON_SCENE: m.dispatched_on_scene,
};

export class Out {
  readonly reader = new Reader<OutQuery>(() => request(OutDocument, {}, null), REST);
  readonly list: Away[] = $derived(this.reader.value === null ? [] : awayOf(this.reader.value, clock.now));
  #stop: () => void;

  constructor(desk: Desk) {
    this.#stop = desk.onevents((events) => {
      if (events.length === 0 || events.some(({ kind }) => WORK.test(kind))) void this.reader.read();
    });
  }

  close(): void {
    this.#stop();
    this.reader.close();
  }
}

function awayOf(out: OutQuery, now: number): Away[] {
  const all = [
    ...out.inspections.nodes.map((row): Away => {
      const times = [row.arrivedAt, row.departedAt, row.acknowledgedAt, row.dispatchedAt];
      const name = row.inspectors.length > 1 ? m.out_with_others({ name: officerName(row.inspectors[0]), count: row.inspectors.length - 1 }) : officerName(row.inspectors[0]);
      return away(row.id, name, row.enterprise.name, row.status as keyof typeof STATUS, times.find((time) => time !== null) ?? null, row.status === 'DISPATCHED', row.inspectors[0]?.phone ?? null, now);
    }),
    ...out.dispatches.nodes.map((row): Away => {
      const { resource } = row;
      const phone = resource?.__typename === 'Team' ? resource.leader?.phone : resource?.__typename === 'Expert' ? resource.phone : resource?.__typename === 'StockItem' ? resource.warehouse.keeper?.phone : null;
      const name = resource?.__typename === 'StockItem' ? m.desk_stock_of({ name: resource.name, quantity: row.quantity ?? 0, unit: resource.unit }) : (resourceTitle(resource) ?? row.purpose);
      return away(row.id, name, row.enterprise?.name ?? row.purpose, row.status as keyof typeof STATUS, row.arrivedAt ?? row.requestedAt, row.status === 'ASSIGNED', phone ?? null, now);
    }),
  ];
  return all.sort((a, b) => RANK[a.state] - RANK[b.state] || a.since - b.since);
}

function away(id: string, name: string, place: string, status: keyof typeof STATUS, time: string | null, waits: boolean, phone: string | null, now: number): Away {
  const since = time === null ? now : Date.parse(time);
  const used = (now - since) / CONFIRM;
  return { id, name, place, status: STATUS[status](), state: waits ? (used > 1 ? 'late' : 'wait') : 'ok', since, used: Math.min(1, Math.max(0, used)), phone };
}
