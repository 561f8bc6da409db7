// The candidates for an enterprise: ranked by kind and distance, each with its load, the reason of its place, and the
// problem that it serves.

import type { CandidateFragment, CandidatesQuery, TeamKind } from '#graph';
import * as m from '#messages';

import { ago, compass, distance } from '../../shared/format';
import { locale } from '../../shared/locale.svelte';
import { bearing, metresBetween } from '../../shared/map/bearing';
import { officerName } from './stacks';

export type Stock = { id: string; name: string; unit: string; available: number };
export type Candidate = {
  id: string;
  kind: 'officer' | 'team' | 'expert' | 'warehouse';
  name: string;
  detail: string;
  metres: number;
  bearing: number;
  load: string;
  reason: string;
  phone: string | null;
  place: { longitude: number; latitude: number } | null;
  /** Why it does not count; null for one that can be sent. */
  leftOut: string | null;
  /** The supplies of a warehouse, best match first. */
  stock: Stock[];
};

export const KINDS = ['officer', 'team', 'expert', 'warehouse'] as const;
/** Officers whose position is too old, at most. */
const LEFT_OUT = 2;

const TEAMS: Record<TeamKind, () => string> = {
  FIRE: m.desk_team_fire, HAZMAT: m.desk_team_hazmat, MEDICAL: m.desk_team_medical, WATER_RESCUE: m.desk_team_water, ENGINEERING: m.desk_team_engineering,
  POWER: m.desk_team_power, SECURITY: m.desk_team_security, VOLUNTEER: m.desk_team_volunteer,
};

export function candidatesOf(query: CandidatesQuery, problems: string[], now: number): Candidate[] {
  const { node } = query;
  if (!node || !('officers' in node)) return [];
  const officers = node.officers.map((near) => officer(near, now));
  const left = node.location === null ? [] : query.inspectors.nodes
    .flatMap((inspector): Candidate[] => {
      const { position, positionAt, positionStale } = inspector;
      if (!position || !positionAt || !positionStale) return [];
      const metres = metresBetween(node.location!, position);
      const age = ago(now - Date.parse(positionAt));
      return [{ id: inspector.id, kind: 'officer', name: officerName(inspector), detail: m.position_ago({ ago: age }), metres, bearing: bearing(node.location!, position), load: '–', reason: m.desk_left_out(), phone: inspector.phone, place: position, leftOut: m.desk_left_out(), stock: [] }];
    })
    .sort((a, b) => a.metres - b.metres)
    .slice(0, LEFT_OUT);
  return [
    ...[...officers, ...left].sort((a, b) => Number(a.leftOut !== null) - Number(b.leftOut !== null) || a.metres - b.metres),
    ...node.teams.map(team), ...node.experts.map(expert), ...node.warehouses.map((near) => warehouse(near, problems)),
  ];
}

type Item<T extends CandidateFragment['item']['__typename']> = Extract<CandidateFragment['item'], { __typename: T }>;

const common = ({ distanceMetres, bearingDegrees }: CandidateFragment): Pick<Candidate, 'metres' | 'bearing' | 'leftOut' | 'stock'> => ({ metres: distanceMetres, bearing: bearingDegrees, leftOut: null, stock: [] });

function officer(near: CandidateFragment, now: number): Candidate {
  const item = near.item as Item<'Inspector'>;
  const { totalCount, nodes } = item.under;
  const at = item.positionAt === null ? m.position_unknown() : m.position_ago({ ago: ago(now - Date.parse(item.positionAt)) });
  const reason = totalCount === 0 ? m.desk_idle() : m.desk_busy_at({ name: nodes[0]!.enterprise.name });
  return { ...common(near), id: item.id, kind: 'officer', name: officerName(item), detail: at, load: m.desk_load({ count: totalCount }), reason, phone: item.phone, place: item.position };
}

function team(near: CandidateFragment): Candidate {
  const item = near.item as Item<'Team'>;
  return { ...common(near), id: item.id, kind: 'team', name: item.name, detail: m.team_ready({ strength: item.strength }), load: m.desk_load({ count: 0 }), reason: TEAMS[item.kind](), phone: item.leader?.phone ?? null, place: item.location };
}

function expert(near: CandidateFragment): Candidate {
  const item = near.item as Item<'Expert'>;
  const own = item.specialties.filter((text) => /[\u4e00-\u9fff]/.test(text) === (locale.current === 'zh'));
  const specialties = (own.length > 0 ? own : item.specialties).join(m.list_separator());
  return { ...common(near), id: item.id, kind: 'expert', name: item.fullName ?? m.expert(), detail: '', load: m.desk_load({ count: 0 }), reason: specialties, phone: item.phone, place: item.location };
}

function warehouse(near: CandidateFragment, problems: string[]): Candidate {
  const item = near.item as Item<'Warehouse'>;
  const wanted = problems.join(' ');
  const stock = item.stock.nodes.filter(({ available }) => available > 0).toSorted((a, b) => likeness(b.name, wanted) - likeness(a.name, wanted));
  return { ...common(near), id: item.id, kind: 'warehouse', name: item.name, detail: '', load: '', reason: '', phone: item.keeper?.phone ?? null, place: item.location, stock };
}

/** The number of pairs of neighbouring characters that a supply's name shares with what is asked for. */
function likeness(name: string, wanted: string): number {
  let shared = 0;
  for (let i = 0; i + 1 < name.length; i++) if (wanted.includes(name.slice(i, i + 2))) shared++;
  return shared;
}

export const way = ({ metres, bearing: degrees }: Candidate): [string, string] => [distance(metres), compass(degrees)];
