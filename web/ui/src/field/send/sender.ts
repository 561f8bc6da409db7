// Sends one action: its photographs first, then its mutation, as the person who tapped and as nobody else.

import { auth, AuthError } from '../../shared/auth';
import { occurredAt, type Action } from '../outbox/action';
import type { Outcome, Sender } from '../outbox/outbox';
import { DOCUMENTS } from './documents';
import { ask, outcomeOf, Stopped, timeOf, type Failure } from './http';
import { evidenceOf, type UploadOptions } from './upload';

type Result = { __typename: string; message?: string; reason?: string; errors?: { field: string; message: string; reason: string }[] };
type Body = { data?: { result?: Result } | null; errors?: Failure[] };

export type Progress = { action: string; confirmed: number; of: number };

export type SenderOptions = UploadOptions & {
  ahead: () => number | null;
  progress: (progress: Progress | null) => void;
};

export function sender(options: SenderOptions): Sender {
  return {
    async send(action) {
      try {
        await requirePerson(action.account);
        const input = structuredClone(action.input);
        const ids = action.photos.map(({ photo }) => photo);
        const evidence = await evidenceOf(ids, options, (confirmed) => options.progress({ action: action.id, confirmed, of: ids.length }));
        for (const { path, photo } of action.photos) put(input, path.split('.'), evidence.get(photo)!);
        // Uploads take minutes, in which somebody else may have signed in.
        if (ids.length > 0) await requirePerson(action.account);
        return await mutate(action, input, options);
      } catch (error) {
        if (error instanceof Stopped) return error.outcome;
        throw error;
      } finally {
        options.progress(null);
      }
    },
  };
}

/** The cookie of this browser says who sends. Throws Stopped if that is not the person who tapped. */
async function requirePerson(account: number): Promise<void> {
  try {
    const { viewer } = await auth.session();
    if (viewer === null) throw new Stopped({ type: 'paused', pause: 'SIGNED_OUT' });
    if (viewer.account !== account) throw new Stopped({ type: 'paused', pause: 'OTHER_PERSON' });
  } catch (error) {
    if (error instanceof AuthError) throw new Stopped({ type: 'again' });
    throw error;
  }
}

async function mutate(action: Action, input: Record<string, unknown>, options: SenderOptions, timed = true): Promise<Outcome> {
  const time = timed ? { occurredAt: occurredAt(action, options.ahead()) } : {};
  const variables = { input: { ...input, ...time, clientMutationId: action.id } };
  const answer = await ask('/graphql', {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/graphql-response+json',
      'accept-language': options.language(),
    },
    body: JSON.stringify({ query: DOCUMENTS[action.kind].toString(), variables }),
  });
  const { data, errors } = (answer.body ?? {}) as Body;
  const result = data?.result;
  if (!result || errors) return outcomeOf(errors?.[0], answer);
  if (!result.reason) return { type: 'done', at: timeOf(answer) };
  // The server cannot believe the time of a clock that was set meanwhile. The act counts from its arrival then.
  if (timed && result.errors?.some(({ reason }) => reason.startsWith('OCCURRED_'))) return mutate(action, input, options, false);
  const fields = (result.errors ?? []).map(({ field, message }) => ({ field, message }));
  return { type: 'refused', refusal: { reason: result.reason, message: result.message ?? '', fields, at: timeOf(answer) } };
}

/** Put a value at the end of the list at `path`, for example findings.0.evidence. */
function put(input: Record<string, unknown>, path: string[], value: string): void {
  let place = input as Record<string, unknown>;
  for (const name of path.slice(0, -1)) place = place[name] as Record<string, unknown>;
  const last = path.at(-1)!;
  place[last] = [...((place[last] as string[] | undefined) ?? []), value];
}
