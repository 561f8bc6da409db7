// Sends a mutation of a form, and tells its success from its problems.

import { TypedDocumentString } from '#graph';
import * as m from '#messages';

import { GraphError, request } from '../graph/request';
import type { Errors } from './draft.ts';
import type { Form } from './form.ts';
import { valueName } from './words.ts';

/** The rows of the success by name, with their ids and versions, and the cursor of its event. */
export type Success = { cursor: string } & Record<string, unknown>;
export type Outcome =
  | { kind: 'done'; success: Success }
  /** `message` is for the whole form, `errors` for its fields. */
  | { kind: 'refused'; message: string; errors: Errors }
  | { kind: 'conflict'; version: number; message: string }
  /** Nobody knows whether the server has it. */
  | { kind: 'silent' };

type Result = {
  __typename: string; message?: string; errors?: { field: string; message: string }[]; legal?: string[]; currentVersion?: number; cursor?: string;
};

export async function send(form: Form, input: Record<string, unknown>, token: string | null): Promise<Outcome> {
  let result: Result;
  try {
    const document = new TypedDocumentString<Record<string, Result>, { input: Record<string, unknown> }>(form.document);
    result = (await request(document, { input }, token))[form.name]!;
  } catch (error) {
    if (!(error instanceof GraphError)) throw error;
    return error.code === 'SILENT' ? { kind: 'silent' } : { kind: 'refused', message: error.message, errors: {} };
  }
  if (result.cursor !== undefined) return { kind: 'done', success: result as unknown as Success };
  if (result.currentVersion !== undefined) return { kind: 'conflict', version: result.currentVersion, message: result.message ?? '' };
  const errors = Object.fromEntries((result.errors ?? []).toReversed().map(({ field, message }) => [field, message]));
  return { kind: 'refused', message: refusal(form, result), errors };
}

/** The words of a problem; none where all is said at the fields. */
function refusal(form: Form, result: Result): string {
  if (result.errors) return '';
  const of = form.name.startsWith('assistance') ? 'AssistanceStatus' : `${form.name.match(/^[a-z]+/)![0].replace(/^./, (first) => first.toUpperCase())}Status`;
  const legal = result.legal?.length ? ` ${m.form_legal({ statuses: result.legal.map((status) => valueName(of, status)).join('、') })}` : '';
  return (result.message ?? '') + legal;
}
