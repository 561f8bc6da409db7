// The name of this phone, by which the server knows what was sent from here, whoever was signed in.

import { newId } from '../../shared/new-id';
import { withStore } from './database';

let name: Promise<string> | null = null;

/** The same at every call and after every start, in all tabs, until the browser's data are cleared. */
export function device(): Promise<string> {
  name ??= withStore(async (database) => {
    const transaction = database.transaction('settings', 'readwrite', { durability: 'strict' });
    const known = (await transaction.store.get('device')) as string | undefined;
    const made = known ?? newId();
    if (!known) await transaction.store.put(made, 'device');
    await transaction.done;
    return made;
  }).catch((error: unknown) => {
    name = null;
    throw error;
  });
  return name;
}
