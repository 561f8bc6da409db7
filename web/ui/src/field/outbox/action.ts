// An action is what a person did on this phone and the server is to hear of. It is stored before anything is sent, and the answer
// is stored before the next action begins, so a phone that dies at any moment loses nothing and repeats nothing.

export type ActionKind =
  | 'acknowledge' | 'depart' | 'arrive' | 'submit' | 'plan' | 'duty' | 'accept' | 'reject' | 'resolve'
  | 'startRectifying' | 'rectify' | 'extend' | 'dutyReport' | 'help' | 'withdraw';

/** A photograph of an action, and the list of the input that its evidence goes into, for example `findings.0.evidence`. */
export type PhotoUse = { photo: string; path: string };

export type Refusal = {
  /** The server's code, for example NOT_ON_DUTY. */
  reason: string;
  /** The server's sentence in the language of the page at that time. */
  message: string;
  /** Sentences about single fields of the input. */
  fields: { field: string; message: string }[];
  at: number;
};

/**
 * `waiting`: only on this phone. `sent`: the server said that it has it. `refused`: the server said no, and a person must
 * look at it. `closed`: refused, and put away by a person.
 */
export type Status = 'waiting' | 'sent' | 'refused' | 'closed';

export type NewAction = {
  kind: ActionKind;
  /** The row that the action is about. Later actions about it wait while an earlier one is refused. */
  subject: string;
  /** The name of the place, for people. */
  place: string;
  /** The input of the mutation, without what all mutations have. */
  input: Record<string, unknown>;
  photos: PhotoUse[];
  /** True if it can be undone for ten seconds before it may be sent. */
  undoable: boolean;
};

export type Action = Omit<NewAction, 'undoable'> & {
  /** The `clientMutationId`: one from the first tap on, whatever happens. */
  id: string;
  /** The place in this phone's order. */
  order: number;
  /** The account and the name of the person who tapped. It is sent as this person or not at all. */
  account: number;
  person: string;
  /** This phone's time of the tap, and how far this clock was ahead of the server's then; null if not known. */
  tappedAt: number;
  ahead: number | null;
  /** Until when it can be undone, by this phone's clock; null if it cannot. */
  holdUntil: number | null;
  /** True if sending has begun at least once: from then on it cannot be undone. */
  begun: boolean;
  status: Status;
  /** The number of times that the server failed while it carried the action out. */
  faults: number;
  refusal: Refusal | null;
  /** The server's time of its answer, and this phone's. */
  sentAt: number | null;
  heardAt?: number;
};

/** The time in which a tap can be undone, in milliseconds. */
export const HOLD = 10_000;

/** True if an action can still be undone. A clock that was set back does not hold it longer than HOLD. */
export function isHeld(action: Action, now: number): boolean {
  const left = action.holdUntil === null ? 0 : action.holdUntil - now;
  return action.status === 'waiting' && !action.begun && left > 0 && left <= HOLD;
}

/** The time of the act by the server's clock. `ahead` is how far this phone's clock is ahead now, if it was not known then. */
export function occurredAt(action: Action, ahead: number | null): string {
  return new Date(action.tappedAt - (action.ahead ?? ahead ?? 0)).toISOString();
}

/** True if what the server said at `readAt`, by this phone's clock, cannot show the action yet: it was not sent then. */
export function isPending({ status, heardAt = 0 }: Action, readAt: number): boolean {
  return status === 'waiting' || (status === 'sent' && heardAt >= readAt);
}

export type Choice = { action: Action } | { wait: number } | { none: true };

/**
 * The action to send next: the first action in order that can be sent as `account`. One that can still be undone holds the whole
 * queue, so that the order stays. One that was refused holds only the later ones of the same subject.
 */
export function choose(actions: Action[], account: number | null, now: number): Choice {
  for (const action of actions) {
    if (action.status !== 'waiting' || action.account !== account || isBehind(action, actions)) continue;
    return isHeld(action, now) ? { wait: action.holdUntil! - now } : { action };
  }
  return { none: true };
}

/** True if an action waits for a person, because an earlier one of its subject was refused. */
export function isBehind(action: Action, actions: Action[]): boolean {
  return actions.some(
    (other) =>
      other.status === 'refused' && other.account === action.account && other.subject === action.subject && other.order < action.order,
  );
}
