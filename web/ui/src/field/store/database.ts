// The phone's own store, in IndexedDB: actions, photographs, drafts, and copies of what the server said last.

import { openDB, type DBSchema, type IDBPDatabase } from 'idb';

import type { Action } from '../outbox/action';

/** A photograph on this phone. Its bytes go as soon as the server has the action that it belongs to. */
export type Photo = {
  id: string;
  account: number;
  /** SHA-256 of `data` in hexadecimal digits. */
  hash: string;
  /** Not a Blob: browsers have lost those. */
  data: ArrayBuffer;
  /** The server's time, as far as the phone knew it. */
  takenAt: number;
  /** The id of the evidence, once the server said that it has this photograph. */
  evidence: string | null;
  /** The address where the upload goes on, if one began. */
  upload: string | null;
  /** The bytes cannot be read any more, or the server refuses them. */
  broken: boolean;
};

export type Draft = { key: string; value: unknown; savedAt: number };
/** The server's last answer, and when it was read. */
export type Kept = { key: string; value: unknown; readAt: number };

interface Schema extends DBSchema {
  actions: { key: number; value: Action; indexes: { id: string } };
  photos: { key: string; value: Photo };
  drafts: { key: string; value: Draft };
  copies: { key: string; value: Kept };
  settings: { key: string; value: unknown };
}

let opened: Promise<IDBPDatabase<Schema>> | null = null;

function open(): Promise<IDBPDatabase<Schema>> {
  opened ??= openDB<Schema>('huhang-field', 1, {
    upgrade(database) {
      database.createObjectStore('actions', { keyPath: 'order', autoIncrement: true }).createIndex('id', 'id', { unique: true });
      database.createObjectStore('photos', { keyPath: 'id' });
      database.createObjectStore('drafts', { keyPath: 'key' });
      database.createObjectStore('copies', { keyPath: 'key' });
      database.createObjectStore('settings');
    },
    terminated: () => (opened = null),
  });
  return opened;
}

/** Work with the store. One that the browser closed behind our back, as iOS does in the background, is opened again once. */
export async function withStore<T>(work: (database: IDBPDatabase<Schema>) => Promise<T>): Promise<T> {
  try {
    return await work(await open());
  } catch (error) {
    if (!(error instanceof DOMException) || error.name !== 'InvalidStateError') throw error;
    opened = null;
    return work(await open());
  }
}

/** True if the phone has no room left for what was to be stored. */
export function isFull(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'QuotaExceededError';
}

export const settings = {
  get: <T>(name: string) => withStore(async (database) => (await database.get('settings', name)) as T | undefined),
  set: (name: string, value: unknown) => withStore((database) => database.put('settings', value, name)),
};
