// Photographs: made small, without place and camera, and stored before anything else happens to them.

import type { Action } from '../outbox/action';
import { withStore, type Photo } from './database';

/** The longer side at most, in pixels. */
const LONGEST = 2048;
const QUALITY = 0.85;
/** The time that a photograph stays to which nothing refers: another tab may just have taken it. */
const KEEP = 24 * 3_600_000;

/** The file is no picture that this browser can read. */
export class Unreadable extends Error {}

/** Store a photograph as a small JPEG. Drawing it again turns it upright and leaves place, time and camera out. */
export async function addPhoto(file: Blob, account: number, id: string, takenAt: number): Promise<Photo> {
  const data = await shrink(file);
  const photo = { id, account, hash: await sha256(data), data, takenAt, evidence: null, upload: null, broken: false };
  await putPhoto(photo);
  return photo;
}

async function shrink(file: Blob): Promise<ArrayBuffer> {
  let picture: ImageBitmap;
  try {
    picture = await createImageBitmap(file, { imageOrientation: 'from-image' });
  } catch (error) {
    throw new Unreadable(String(error));
  }
  const scale = Math.min(1, LONGEST / Math.max(picture.width, picture.height));
  const canvas = document.createElement('canvas');
  canvas.width = Math.max(1, Math.round(picture.width * scale));
  canvas.height = Math.max(1, Math.round(picture.height * scale));
  canvas.getContext('2d')!.drawImage(picture, 0, 0, canvas.width, canvas.height);
  picture.close();
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, 'image/jpeg', QUALITY));
  if (!blob) throw new Unreadable('the picture has no pixels');
  return blob.arrayBuffer();
}

/** SHA-256. */
export async function digestOf(data: ArrayBuffer): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', data));
}

export async function sha256(data: ArrayBuffer): Promise<string> {
  return [...(await digestOf(data))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

export const getPhoto = (id: string) => withStore((database) => database.get('photos', id));

export const allPhotos = () => withStore((database) => database.getAll('photos'));

export async function putPhoto(photo: Photo): Promise<void> {
  await withStore(async (database) => {
    const transaction = database.transaction('photos', 'readwrite', { durability: 'strict' });
    await transaction.store.put(photo);
    await transaction.done;
  });
}

/** Remove the photographs that neither a draft nor an action needs any more: sent, put away, or taken out of a finding. */
export async function sweepPhotos(actions: Action[], now: number): Promise<void> {
  const drafts = await withStore((database) => database.getAll('drafts'));
  const typed = JSON.stringify(drafts.map(({ value }) => value));
  const needed = new Set(actions.filter(({ status }) => status === 'waiting' || status === 'refused').flatMap(({ photos }) => photos.map(({ photo }) => photo)));
  const sent = new Set(actions.filter(({ status }) => status === 'sent').flatMap(({ photos }) => photos.map(({ photo }) => photo)));
  for (const { id, takenAt } of await allPhotos()) {
    if (needed.has(id)) continue;
    if (sent.has(id) || (now - takenAt > KEEP && !typed.includes(id))) await removePhoto(id);
  }
}

export const removePhoto = (id: string) => withStore((database) => database.delete('photos', id));
