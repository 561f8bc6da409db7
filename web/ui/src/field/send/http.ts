// Requests of the outbox, and what their answers mean for it.

import type { Refusal } from '../outbox/action';
import type { Outcome } from '../outbox/outbox';
import { device } from '../store/device';

const PATIENCE = 30_000;
/** Codes that pass by themselves. */
const PASSING = new Set(['UNAVAILABLE', 'BUSY', 'TOO_MANY', 'TIMEOUT']);

export type Failure = { message: string; extensions?: { code?: string; reason?: string } };
export type Answer = { status: number; headers: Headers; body: unknown };

/** Thrown where an action cannot go on; `outcome` says how the outbox goes on. */
export class Stopped extends Error {
  constructor(readonly outcome: Outcome) {
    super(outcome.type);
  }
}

/** Throws Stopped with `again` if no answer came, or one that is not JSON and so comes from something in between. */
export async function ask(path: string, options: RequestInit & { headers: Record<string, string> }): Promise<Answer> {
  const headers = { ...options.headers, 'huhang-device': await device() };
  try {
    const response = await fetch(path, { ...options, headers, credentials: 'same-origin', cache: 'no-store', signal: AbortSignal.timeout(PATIENCE) });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) };
  } catch {
    throw new Stopped({ type: 'again' });
  }
}

/** The meaning of the server's error: wait, sign in, or a refusal of this action. */
export function outcomeOf(failure: Failure | undefined, answer: Answer): Outcome {
  const code = failure?.extensions?.code ?? '';
  if (code === 'UNAUTHENTICATED' || answer.status === 401) return { type: 'paused', pause: 'SIGNED_OUT' };
  const seconds = Number(answer.headers.get('retry-after') ?? NaN);
  if (PASSING.has(code) || answer.status === 429 || answer.status === 503) {
    return { type: 'again', ...(Number.isFinite(seconds) ? { wait: seconds * 1000 } : {}) };
  }
  // Without a code the answer is none of the server's own, for example that of a proxy whose server is away.
  if (!failure || code === '') return { type: 'again' };
  const refusal: Refusal = { reason: failure.extensions?.reason ?? code, message: failure.message, fields: [], at: Date.now() };
  return code === 'INTERNAL' || answer.status >= 500 ? { type: 'fault', refusal } : { type: 'refused', refusal };
}

/** The server's time of an answer. */
export function timeOf(answer: Answer): number {
  const date = Date.parse(answer.headers.get('date') ?? '');
  return Number.isFinite(date) ? date : Date.now();
}
