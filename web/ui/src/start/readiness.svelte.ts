// What /readyz says: whether the database can be used, and how notifications between processes are.

const PATIENCE = 4_000;
/** The checks that are about the database. */
const OF_DATABASE = ['connection', 'migrations', 'write'];

type Answer = { checks?: Record<string, string>; notifier?: string };

export class Readiness {
  /** Null until the first answer. */
  database = $state<boolean | null>(null);
  notifier = $state<boolean | null>(null);
  at = $state(0);

  async ask(): Promise<void> {
    try {
      const response = await fetch('/readyz', { cache: 'no-store', signal: AbortSignal.timeout(PATIENCE) });
      const answer = (await response.json()) as Answer;
      this.database = OF_DATABASE.every((check) => ['ok', 'newer'].includes(answer.checks?.[check] ?? ''));
      if (answer.notifier) this.notifier = answer.notifier === 'listening';
      this.at = Date.now();
    } catch {
      // The watch of the server says that it is silent; the last values keep their age.
    }
  }
}
