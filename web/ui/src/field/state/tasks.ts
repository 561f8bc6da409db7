// An officer's round as it is on this phone: what the server said, and what was done since and is not sent yet.

import type { FieldInspectionFragment, InspectionStatus } from '#graph';

import type { Action, ActionKind } from '../outbox/action';

export type Place = { latitude: number; longitude: number };

/** The steps of a visit, in order. */
export const STEPS: InspectionStatus[] = ['DISPATCHED', 'ACKNOWLEDGED', 'EN_ROUTE', 'ON_SITE', 'SUBMITTED'];
const REACHED: Partial<Record<ActionKind, InspectionStatus>> = {
  acknowledge: 'ACKNOWLEDGED', depart: 'EN_ROUTE', arrive: 'ON_SITE', submit: 'SUBMITTED',
};
const EARTH = 6_371_000;

export type Task = {
  inspection: FieldInspectionFragment;
  /** The status with what this phone has not sent yet. */
  status: InspectionStatus;
  /** How many of STEPS the server has confirmed, and how many more are only on this phone. */
  confirmed: number;
  unsent: number;
  /** When the last step was tapped, if the server does not know of it; else null. */
  tappedAt: number | null;
  /** A step of it was refused. */
  refused: boolean;
  /** Metres in a straight line; null without a position of either. */
  metres: number | null;
};

export function toTask(inspection: FieldInspectionFragment, actions: Action[], from: Place | null): Task {
  const own = actions.filter(({ subject, kind }) => subject === inspection.id && REACHED[kind]);
  const unsent = own.filter((action) => action.status === 'waiting');
  const last = unsent.at(-1);
  const confirmed = STEPS.indexOf(inspection.status) + 1;
  const status = last ? REACHED[last.kind]! : inspection.status;
  const to = inspection.enterprise.location;
  return {
    inspection,
    status,
    confirmed,
    unsent: Math.max(0, STEPS.indexOf(status) + 1 - confirmed),
    tappedAt: last?.tappedAt ?? null,
    refused: own.some((action) => action.status === 'refused'),
    metres: from && to ? metresBetween(from, to) : null,
  };
}

/** Nearest first; without a position by planned time. Under way comes before all others. */
export function inOrder(tasks: Task[]): Task[] {
  return [...tasks].sort((a, b) => rank(a) - rank(b) || (a.metres ?? Infinity) - (b.metres ?? Infinity) || planned(a) - planned(b));
}

function rank({ status, inspection }: Task): number {
  if (status === 'ON_SITE') return 0;
  if (status === 'EN_ROUTE') return 1;
  if (inspection.kind === 'ASSISTANCE' && status !== 'PLANNED') return 2;
  return status === 'PLANNED' ? 4 : 3;
}

function planned({ inspection }: Task): number {
  return Date.parse(inspection.plannedFor ?? inspection.dispatchedAt ?? '') || Infinity;
}

/** Metres along the ground, by the haversine formula on a sphere. */
export function metresBetween(a: Place, b: Place): number {
  const radians = Math.PI / 180;
  const height = Math.sin(((b.latitude - a.latitude) * radians) / 2) ** 2;
  const width = Math.sin(((b.longitude - a.longitude) * radians) / 2) ** 2;
  const chord = height + Math.cos(a.latitude * radians) * Math.cos(b.latitude * radians) * width;
  return Math.round(2 * EARTH * Math.asin(Math.sqrt(chord)));
}
