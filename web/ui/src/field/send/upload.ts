// Photographs of an action. Each is sent in pieces, from the byte on that the server does not have yet (tus 1.0), and is
// named once the server has said that it has all of it.

import { FieldEvidenceDocument } from '#graph';
import type { FieldEvidenceQuery } from '#graph';

import type { Photo } from '../store/database';
import { digestOf, getPhoto, putPhoto, sha256 } from '../store/photos';
import { ask, outcomeOf, Stopped, type Answer, type Failure } from './http';

const TUS = { 'tus-resumable': '1.0.0' };
/** Bytes of a piece: some seconds on a poor network. */
const PIECE = 65_536;
/** Pieces without an answer in a row, after which the outbox waits before it goes on. */
const ATTEMPTS = 3;
/** Answers that mean that no other attempt will help. */
const HOPELESS = new Set([400, 413, 415]);

/** The progress of an upload. `evidence` is what it became, once it is complete. */
type Place = { path: string; offset: number; evidence: string | null };

export type UploadOptions = {
  /** The language of refusals. */
  language: () => string;
};

/**
 * The evidence of photographs, by their ids on this phone. Calls back before each one that is sent, with how many the server
 * has. Throws Stopped. A photograph that cannot be read or that the server refuses is marked as broken.
 */
export async function evidenceOf(ids: string[], options: UploadOptions, confirmed: (number: number) => void): Promise<Map<string, string>> {
  const photos = await Promise.all([...new Set(ids)].map(readable));
  const known = await arrived(photos.map(({ hash }) => hash), options);
  const evidence = new Map<string, string>();
  for (const photo of photos) {
    confirmed(evidence.size);
    const id = known.get(photo.hash) ?? (await upload(photo, options));
    if (photo.evidence !== id) await putPhoto({ ...photo, evidence: id });
    evidence.set(photo.id, id);
  }
  return evidence;
}

async function readable(id: string): Promise<Photo> {
  const photo = await getPhoto(id);
  if (photo && !photo.broken && (await sha256(photo.data)) === photo.hash) return photo;
  if (photo) await putPhoto({ ...photo, broken: true });
  throw refused('PHOTO_UNREADABLE', '');
}

/** The evidence that the server has, by the hashes of the files: the answer to an upload may have been lost. */
async function arrived(hashes: string[], options: UploadOptions): Promise<Map<string, string>> {
  if (hashes.length === 0) return new Map();
  const answer = await ask('/graphql', {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/graphql-response+json', 'accept-language': options.language() },
    body: JSON.stringify({ query: FieldEvidenceDocument.toString(), variables: { hashes } }),
  });
  const { data, errors } = (answer.body ?? {}) as { data?: FieldEvidenceQuery | null; errors?: Failure[] };
  if (!data || errors) throw new Stopped(outcomeOf(errors?.[0], answer));
  return new Map(data.evidenceStatus.flatMap(({ sha256: hash, evidence }) => (evidence === null ? [] : [[hash, evidence] as const])));
}

async function upload(photo: Photo, options: UploadOptions): Promise<string> {
  let place = (photo.upload === null ? null : await look(photo.upload)) ?? (await begin(photo, options));
  for (let failures = 0; place.evidence === null; ) {
    try {
      place = await send(photo, place, options);
      failures = 0;
    } catch (error) {
      if (!(error instanceof Stopped) || error.outcome.type !== 'again' || error.outcome.wait || ++failures >= ATTEMPTS) throw error;
      const there = await look(place.path);
      if (!there) throw error;
      place = there;
    }
  }
  return place.evidence;
}

/** The server's progress with an upload; null if it does not have it any more. */
async function look(path: string): Promise<Place | null> {
  const answer = await ask(path, { method: 'HEAD', headers: TUS });
  if (answer.status === 404) return null;
  if (answer.status !== 200) throw new Stopped(outcomeOf(undefined, answer));
  return placeOf(path, answer);
}

async function begin(photo: Photo, options: UploadOptions, timed = true): Promise<Place> {
  const described: Record<string, string> = { filetype: 'image/jpeg', sha256: photo.hash };
  if (timed) described.takenAt = new Date(photo.takenAt).toISOString();
  const pairs = Object.entries(described).map(([name, value]) => `${name} ${btoa(value)}`);
  const answer = await ask('/uploads', {
    method: 'POST',
    headers: { ...TUS, 'upload-length': String(photo.data.byteLength), 'upload-metadata': pairs.join(','), 'accept-language': options.language() },
  });
  const path = answer.headers.get('location');
  if (answer.status === 201 && path) {
    await putPhoto({ ...photo, upload: path });
    return { path, offset: 0, evidence: null };
  }
  // The clock was off by days while the phone did not know it. The photograph counts without its time.
  if (timed && failureOf(answer)?.extensions?.reason === 'UPLOAD_TAKEN_AT_RANGE') return begin(photo, options, false);
  return fail(photo, answer);
}

async function send(photo: Photo, { path, offset }: Place, options: UploadOptions): Promise<Place> {
  const piece = photo.data.slice(offset, offset + PIECE);
  const checksum = btoa(String.fromCharCode(...(await digestOf(piece))));
  const answer = await ask(path, {
    method: 'PATCH',
    headers: {
      ...TUS,
      'content-type': 'application/offset+octet-stream',
      'upload-offset': String(offset),
      'upload-checksum': `sha256 ${checksum}`,
      'accept-language': options.language(),
    },
    body: piece,
  });
  return answer.status === 204 ? placeOf(path, answer) : fail(photo, answer);
}

function placeOf(path: string, { headers }: Answer): Place {
  return { path, offset: Number(headers.get('upload-offset')), evidence: headers.get('huhang-evidence') };
}

function failureOf(answer: Answer): Failure | undefined {
  return (answer.body as { errors?: Failure[] } | undefined)?.errors?.[0];
}

async function fail(photo: Photo, answer: Answer): Promise<never> {
  const failure = failureOf(answer);
  if (HOPELESS.has(answer.status) && failure) {
    await putPhoto({ ...photo, broken: true });
    throw refused(failure.extensions?.reason ?? 'PHOTO_REFUSED', failure.message);
  }
  // Another tab was faster, the piece came damaged, or the upload has expired: look where the server is.
  if ([404, 409, 460].includes(answer.status)) throw new Stopped({ type: 'again' });
  throw new Stopped(outcomeOf(failure, answer));
}

function refused(reason: string, message: string): Stopped {
  return new Stopped({ type: 'refused', refusal: { reason, message, fields: [], at: Date.now() } });
}
