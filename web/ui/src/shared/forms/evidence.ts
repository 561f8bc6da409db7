// Uploads photographs and documents, which a mutation then names by their ids.

import { locale } from '../locale.svelte';

const PATIENCE = 120_000;

export const ACCEPTED = 'image/jpeg,image/png,image/webp,image/heic,application/pdf';

/** The id of the evidence. Throws an Error with the server's words. */
export async function upload(file: File, token: string | null): Promise<string> {
  const response = await fetch('/evidence', {
    method: 'POST',
    headers: {
      'content-type': file.type || 'application/octet-stream',
      'accept-language': locale.tag,
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
    },
    body: file,
    credentials: 'same-origin',
    signal: AbortSignal.timeout(PATIENCE),
  });
  const answer = (await response.json().catch(() => null)) as { id?: string; errors?: { message: string }[] } | null;
  if (answer?.id) return answer.id;
  throw new Error(answer?.errors?.[0]?.message ?? response.statusText);
}
