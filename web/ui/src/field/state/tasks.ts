// An officer's round as it is on this phone: what the server said, and what was done since and is not sent yet.

import type { FieldInspectionFragment, InspectionStatus } from '#graph';

import { metresBetween } from '../../shared/map/bearing';
import { isPending, type Action, type ActionKind } from '../outbox/action';

export type Place = { latitude: number; longitude: number };

/** The steps of a visit, in order. */
export const STEPS: InspectionStatus[] = ['DISPATCHED', 'ACKNOWLEDGED', 'EN_ROUTE', 'ON_SITE', 'SUBMITTED'];
const REACHED: Partial<Record<ActionKind, InspectionStatus>> = {
  acknowledge: 'ACKNOWLEDGED', depart: 'EN_ROUTE', arrive: 'ON_SITE', submit: 'SUBMITTED',
};

export type Task = {
  inspection: FieldInspectionFragment;
  /** The status with what was done on this phone since. */
  status: InspectionStatus;
  /** The number of STEPS that the server has confirmed, and the number of more that are only on this phone. */
  confirmed: number;
  unsent: number;
  /** When the last step was tapped, if the server does not know of it; else null. */
  tappedAt: number | null;
  /** A step of it was refused. */
  refused: boolean;
  /** Metres in a straight line; null without a position of either. */
  metres: number | null;
};

/** `readAt` is when the inspection was read, `actions` are what this person did. */
export function toTask(inspection: FieldInspectionFragment, readAt: number, actions: Action[], from: Place | null): Task {
  const own = actions.filter(({ subject, kind }) => subject === inspection.id && REACHED[kind]);
  const pending = own.filter((action) => isPending(action, readAt));
  const last = pending.at(-1);
  const reached = (action: Action | undefined): number => (action ? STEPS.indexOf(REACHED[action.kind]!) : -1);
  const confirmed = Math.max(STEPS.indexOf(inspection.status), reached(pending.findLast((action) => action.status === 'sent'))) + 1;
  const status = reached(last) >= confirmed - 1 && last ? REACHED[last.kind]! : inspection.status;
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
