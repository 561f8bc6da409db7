// Queries over HTTP. A page that shows what changes follows it with a LiveClient.

import type { TypedDocumentString } from '#graph';

import { locale } from '../locale.svelte';

const PATIENCE = 15_000;

/** A refusal. `code` is the server's, or SILENT if no answer came. */
export class GraphError extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

type Answer<T> = { data?: T | null; errors?: { message: string; extensions?: { code?: string } }[] };

/** The answer's data. Throws GraphError if there is none, or if a part of it is missing. */
export async function request<T, V>(document: TypedDocumentString<T, V>, variables: V, token: string | null): Promise<T> {
  let answer: Answer<T>;
  try {
    const response = await fetch('/graphql', {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/graphql-response+json',
        'accept-language': locale.tag,
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify({ query: document.toString(), variables }),
      credentials: 'same-origin',
      cache: 'no-store',
      signal: AbortSignal.timeout(PATIENCE),
    });
    answer = (await response.json()) as Answer<T>;
  } catch (error) {
    throw new GraphError('SILENT', String(error));
  }
  const failure = answer.errors?.[0];
  if (failure || !answer.data) throw new GraphError(failure?.extensions?.code ?? 'SILENT', failure?.message ?? 'no data');
  return answer.data;
}
