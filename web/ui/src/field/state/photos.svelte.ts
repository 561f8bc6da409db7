// The photographs on this phone as the views show them.

import { newId } from '../../shared/new-id';
import { allPhotos, addPhoto, getPhoto, putPhoto, removePhoto, sha256, Unreadable } from '../store/photos';
import { isFull, type Photo } from '../store/database';

export type PhotoState = 'here' | 'confirmed' | 'broken';
export type Shown = { id: string; state: PhotoState; takenAt: number; bytes: number; url: string };

let storing = $state(0);
let shown = $state.raw<Record<string, Shown>>({});

const stateOf = (photo: Photo): PhotoState => (photo.broken ? 'broken' : photo.evidence ? 'confirmed' : 'here');

function show(photo: Photo): void {
  const url = shown[photo.id]?.url ?? URL.createObjectURL(new Blob([photo.data], { type: 'image/jpeg' }));
  shown = { ...shown, [photo.id]: { id: photo.id, state: stateOf(photo), takenAt: photo.takenAt, bytes: photo.data.byteLength, url } };
}

export const photos = {
  get: (id: string): Shown | undefined => shown[id],
  /** A photograph that is not on this phone any more was erased by the browser. */
  state: (id: string): PhotoState => shown[id]?.state ?? 'broken',

  /** Read what the store has. */
  async refresh(): Promise<void> {
    for (const photo of await allPhotos()) {
      const intact = photo.broken || photo.evidence !== null || (await sha256(photo.data)) === photo.hash;
      if (!intact) await putPhoto({ ...photo, broken: true });
      show(intact ? photo : { ...photo, broken: true });
    }
  },

  /** The number of photographs that are being stored. No form that they belong to may be submitted before they are. */
  get storing(): number {
    return storing;
  },

  /** Store a photograph. Returns its id, or why it could not be stored. */
  async add(file: Blob, account: number, takenAt: number): Promise<{ id: string } | { failed: 'UNREADABLE' | 'FULL' }> {
    storing++;
    try {
      const photo = await addPhoto(file, account, newId(), takenAt);
      show(photo);
      return { id: photo.id };
    } catch (error) {
      if (error instanceof Unreadable) return { failed: 'UNREADABLE' };
      if (isFull(error)) return { failed: 'FULL' };
      throw error;
    } finally {
      storing--;
    }
  },

  async remove(id: string): Promise<void> {
    await removePhoto(id);
    const { [id]: gone, ...rest } = shown;
    if (gone) URL.revokeObjectURL(gone.url);
    shown = rest;
  },

  /** Show what became of one. */
  async look(id: string): Promise<void> {
    const photo = await getPhoto(id);
    if (photo) show(photo);
  },
};
