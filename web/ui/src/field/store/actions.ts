// The outbox's actions in IndexedDB.

import type { Action } from '../outbox/action';
import type { ActionStore } from '../outbox/outbox';
import { withStore } from './database';

/** The time that actions that are done stay readable. */
const KEEP = 7 * 24 * 3_600_000;
// The transaction is reported only when it is on the disk, not in a buffer that a dying phone loses.
const DURABLE = { durability: 'strict' } as const;

export const actionStore: ActionStore = {
  all: () => withStore((database) => database.getAll('actions')),

  add: (action) =>
    withStore(async (database) => {
      const change = database.transaction('actions', 'readwrite', DURABLE);
      const order = await change.store.add(action as Action);
      await change.done;
      return { ...action, order };
    }),

  change: (id, change) =>
    withStore(async (database) => {
      const transaction = database.transaction('actions', 'readwrite', DURABLE);
      const found = await transaction.store.index('id').get(id);
      const next = found && change(found);
      if (found && next === null) await transaction.store.delete(found.order);
      else if (next) await transaction.store.put(next);
      await transaction.done;
      return next;
    }),
};

/** Forget actions that were done long ago. */
export async function forgetOld(now: number): Promise<void> {
  const old = (await actionStore.all()).filter(({ status, tappedAt }) => ['sent', 'closed'].includes(status) && now - tappedAt > KEEP);
  for (const { id } of old) await actionStore.change(id, () => null);
}
