// Pairs this screen, in the manner of RFC 8628: shows a code, asks for the token, and starts again when a code expires.

import { auth, AuthError } from '../../shared/auth';
import { readScreenToken, storeScreenToken, type ScreenToken } from '../../shared/screen-token';

const RETRY = 5_000;
/** Codes of the server that mean: ask again. */
const AGAIN = new Set(['AUTHORIZATION_PENDING', 'SLOW_DOWN', 'TOO_MANY', 'BUSY', 'UNAVAILABLE', 'SILENT']);

export class PairingRequest {
  code = $state('');
  address = $state('');
  /** When the code expires, by this machine's clock. */
  expiresAt = $state(0);
  refused = $state(false);
  paired = $state.raw<ScreenToken | null>(readScreenToken());

  #deviceCode = '';
  #interval = RETRY;

  async start(): Promise<void> {
    while (this.paired === null) {
      if (this.#deviceCode === '' || Date.now() >= this.expiresAt) await this.#begin();
      else await this.#ask();
    }
  }

  /** Forget the token on this screen and pair anew. Whoever removes the screen for good revokes its token. */
  async forget(): Promise<void> {
    storeScreenToken(null);
    this.paired = null;
    this.#reset();
    await this.start();
  }

  #reset(): void {
    this.#deviceCode = this.code = this.address = '';
    this.expiresAt = 0;
  }

  async #begin(): Promise<void> {
    try {
      const started = await auth.startPairing();
      this.code = started.userCode;
      // The address that this screen itself has reached, whatever a proxy tells the server.
      this.address = new URL(`/signin/pair/?code=${encodeURIComponent(started.userCode)}`, location.origin).href;
      this.expiresAt = Date.now() + started.expiresIn * 1000;
      this.#deviceCode = started.deviceCode;
      this.#interval = started.interval * 1000;
    } catch (error) {
      this.#reset();
      await wait(Math.max(RETRY, retryAfter(error)));
    }
  }

  async #ask(): Promise<void> {
    await wait(Math.min(this.#interval, Math.max(0, this.expiresAt - Date.now())));
    if (Date.now() >= this.expiresAt) return;
    try {
      const token = await auth.pollPairing(this.#deviceCode);
      storeScreenToken(token);
      this.paired = token;
      this.refused = false;
    } catch (error) {
      const code = error instanceof AuthError ? error.code : '';
      if (code === 'SLOW_DOWN') this.#interval += 5_000;
      if (code === 'TOO_MANY' || code === 'BUSY' || code === 'UNAVAILABLE') await wait(retryAfter(error));
      if (AGAIN.has(code)) return;
      this.refused = code === 'ACCESS_DENIED';
      this.#reset();
      if (code !== 'EXPIRED') await wait(RETRY);
    }
  }
}

function retryAfter(error: unknown): number {
  return error instanceof AuthError ? (error.retryAfter ?? 0) * 1000 : 0;
}

function wait(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
