// The steps of a visit as actions of the outbox.

import type { InspectionStatus } from '#graph';
import * as m from '#messages';

import type { ActionKind, NewAction } from '../outbox/action';
import { field } from '../state/field.svelte';
import type { Task } from '../state/tasks';

const NEXT: Partial<Record<InspectionStatus, ActionKind>> = { DISPATCHED: 'acknowledge', ACKNOWLEDGED: 'depart', EN_ROUTE: 'arrive' };
const LABELS: Partial<Record<ActionKind, () => string>> = {
  acknowledge: m.phone_do_acknowledge, depart: m.phone_do_depart, arrive: m.phone_do_arrive,
};

/** The step that one tap takes; null if there is none, because the next is a form or not the officer's. */
export function nextStep(task: Task): { kind: ActionKind; label: string } | null {
  const kind = NEXT[task.status];
  return kind ? { kind, label: LABELS[kind]!() } : null;
}

/** Take steps with one tap. */
export function take(task: Task, first: ActionKind, ...others: ActionKind[]): Promise<boolean> {
  const { id, enterprise } = task.inspection;
  const step = (kind: ActionKind): NewAction => ({ kind, subject: id, place: enterprise.name, input: { inspection: id }, photos: [], undoable: true });
  return field.act(step(first), ...others.map(step));
}
