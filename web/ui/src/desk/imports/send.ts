// Sends files of the register to the server: a line of JSON, and then the bytes of the files, one after the other.

import { locale } from '../../shared/locale.svelte';

/** A refusal, in the server's words; without an answer the message is empty. */
export class FilesRefused extends Error {
  constructor(readonly messages: string[]) {
    super(messages.join('\n'));
  }
}

type Failure = { errors?: { message: string }[] };

/** The server's response. Throws FilesRefused, and an AbortError when the signal stops it. */
export async function sendFiles(path: string, head: Record<string, unknown>, files: File[], signal: AbortSignal): Promise<Response> {
  const first = `${JSON.stringify({ ...head, files: files.map(({ name, size }) => ({ name, bytes: size })) })}\n`;
  let response: Response;
  try {
    response = await fetch(`/register/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/octet-stream', 'accept-language': locale.tag },
      body: new Blob([first, ...files]),
      credentials: 'same-origin',
      cache: 'no-store',
      signal,
    });
  } catch (error) {
    signal.throwIfAborted();
    throw error instanceof TypeError ? new FilesRefused([]) : error;
  }
  if (response.ok) return response;
  const failure = (await response.json().catch(() => null)) as Failure | null;
  throw new FilesRefused(failure?.errors?.map(({ message }) => message) ?? []);
}

/** The lines of JSON in a response, as they come. Throws FilesRefused when they break off. */
export async function* linesOf(response: Response): AsyncGenerator<unknown> {
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      const lines = (rest + value).split('\n');
      rest = lines.pop()!;
      for (const each of lines) yield JSON.parse(each);
    }
  } catch (error) {
    throw error instanceof TypeError ? new FilesRefused([]) : error;
  }
}
