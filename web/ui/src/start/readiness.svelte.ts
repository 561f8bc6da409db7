// What /readyz says of the parts of the server.

const PATIENCE = 4_000;

type Outcome = 'ok' | 'newer' | 'failed' | 'unknown';
export type Check = 'connection' | 'migrations' | 'write' | 'feed';
type Answer = { checks: Record<Check, Outcome>; notifier: string };

export class Readiness {
  /** Null until the first answer. */
  answer = $state.raw<Answer | null>(null);
  at = $state(0);

  async ask(): Promise<void> {
    try {
      const response = await fetch('/readyz', { cache: 'no-store', signal: AbortSignal.timeout(PATIENCE) });
      const answer = (await response.json()) as Partial<Answer>;
      // Others, such as that there are too many requests, say nothing of the parts.
      if (answer.checks === undefined || answer.notifier === undefined) return;
      this.answer = { checks: answer.checks, notifier: answer.notifier };
      this.at = Date.now();
    } catch {
      // The watch of the server says that it is silent; the last values keep their age.
    }
  }
}
