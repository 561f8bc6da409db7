// What /readyz says: whether the database answers, and how notifications between processes are.

const PATIENCE = 4_000;

export class Readiness {
  /** Null until the first answer. */
  database = $state<boolean | null>(null);
  notifier = $state<boolean | null>(null);
  at = $state(0);

  async ask(): Promise<void> {
    try {
      const response = await fetch('/readyz', { cache: 'no-store', signal: AbortSignal.timeout(PATIENCE) });
      this.database = response.ok;
      if (response.ok) this.notifier = ((await response.json()) as { notifier: string }).notifier === 'listening';
      this.at = Date.now();
    } catch {
      // The watch of the server says that it is silent; the last values keep their age.
    }
  }
}
