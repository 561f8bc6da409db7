// Copies of what was typed and of what the server said last, by person: nobody sees another's on a phone that two people share.

import { withStore, type Draft, type Kept } from './database';

const keyOf = (account: number, name: string): string => `${account}:${name}`;

export async function readCopy<T>(account: number, name: string): Promise<{ value: T; readAt: number } | undefined> {
  return (await withStore((database) => database.get('copies', keyOf(account, name)))) as (Kept & { value: T }) | undefined;
}

export const keepCopy = (account: number, name: string, value: unknown, readAt: number) =>
  withStore((database) => database.put('copies', { key: keyOf(account, name), value, readAt }));

/** All copies of a person whose names begin with `prefix`, newest first. */
export async function copiesOf<T>(account: number, prefix: string): Promise<{ value: T; readAt: number }[]> {
  const start = keyOf(account, prefix);
  const found = await withStore((database) => database.getAll('copies', IDBKeyRange.bound(start, `${start}\uffff`)));
  return found.sort((a, b) => b.readAt - a.readAt) as (Kept & { value: T })[];
}

export async function readDraft<T>(account: number, name: string): Promise<{ value: T; savedAt: number } | undefined> {
  return (await withStore((database) => database.get('drafts', keyOf(account, name)))) as (Draft & { value: T }) | undefined;
}

export const keepDraft = (account: number, name: string, value: unknown, savedAt: number) =>
  withStore((database) => database.put('drafts', { key: keyOf(account, name), value, savedAt }));

export const removeDraft = (account: number, name: string) =>
  withStore((database) => database.delete('drafts', keyOf(account, name)));

/** Forget what the server said to others than this person; for null to anybody. What they typed and did not send stays. */
export async function forgetCopies(except: number | null): Promise<void> {
  await withStore(async (database) => {
    if (except === null) return database.clear('copies');
    const start = keyOf(except, '');
    await database.delete('copies', IDBKeyRange.upperBound(start, true));
    await database.delete('copies', IDBKeyRange.lowerBound(`${start}\uffff`, true));
  });
}
