// Uploads photographs, and learns from the server that it has exactly the bytes that this phone has.

import type { Photo } from '../store/database';
import { getPhoto, putPhoto, sha256 } from '../store/photos';
import { ask, outcomeOf, Stopped, type Failure } from './http';

const PATIENCE = 120_000;
/** Answers that mean that no other attempt will help. */
const HOPELESS = new Set([400, 413, 415]);

type Uploaded = { id: string; sha256: string; errors?: Failure[] };

/** The photograph's evidence. Throws Stopped. One that cannot be read or that the server refuses is marked as broken. */
export async function evidenceOf(id: string): Promise<string> {
  const photo = await getPhoto(id);
  if (photo?.evidence) return photo.evidence;
  if (!photo || photo.broken || (await sha256(photo.data)) !== photo.hash) {
    if (photo) await putPhoto({ ...photo, broken: true });
    throw refused('PHOTO_UNREADABLE', '');
  }
  const evidence = await upload(photo);
  await putPhoto({ ...photo, evidence });
  return evidence;
}

async function upload(photo: Photo): Promise<string> {
  const takenAt = encodeURIComponent(new Date(photo.takenAt).toISOString());
  const headers = { 'content-type': 'image/jpeg' };
  const answer = await ask(`/evidence?takenAt=${takenAt}`, { method: 'POST', headers, body: photo.data }, PATIENCE);
  const body = answer.body as Uploaded;
  if (answer.status === 201) {
    if (body.sha256 === photo.hash) return body.id;
    throw new Stopped({ type: 'fault', refusal: { reason: 'PHOTO_DIFFERS', message: '', fields: [], at: Date.now() } });
  }
  const failure = body?.errors?.[0];
  if (HOPELESS.has(answer.status) && failure) {
    await putPhoto({ ...photo, broken: true });
    throw refused(failure.extensions?.reason ?? 'PHOTO_REFUSED', failure.message);
  }
  throw new Stopped(outcomeOf(failure, answer));
}

function refused(reason: string, message: string): Stopped {
  return new Stopped({ type: 'refused', refusal: { reason, message, fields: [], at: Date.now() } });
}
