// The import at work: its files, its mapping, and how far it is. It goes on while the person looks at another view.

import * as m from '#messages';

import { FilesRefused, linesOf, sendFiles } from './send.ts';

export type Counts = { table: string; read: number; new: number; changed: number; unchanged: number; bad: number; warnings: number; skipped: number };
export type Issue = { file: string; line: number; column: string; value: string; reason: string; severity: 'ERROR' | 'WARNING' };
export type Outcome = { written: boolean; tables: Counts[]; moved: number; retired: number; missing: number; issues: number; listed: Issue[] };
export type Progress = { table: string; done: number; total: number; secondsLeft: number | null };
type Line = { progress?: Progress; outcome?: Outcome; errors?: { message: string }[] };

class Importing {
  files = $state.raw<File[]>([]);
  mapping = $state('');
  work = $state<'suggest' | 'preview' | 'write' | null>(null);
  progress = $state.raw<Progress | null>(null);
  /** Of the last preview or import. It goes with the first change of the files or the mapping. */
  outcome = $state.raw<Outcome | null>(null);
  errors = $state.raw<string[]>([]);
  stopped = $state(false);

  #stop = new AbortController();

  /** Take other files; one that ends in `.toml` is the mapping, otherwise the server suggests one. */
  async choose(chosen: File[]): Promise<void> {
    const own = chosen.find(({ name }) => name.endsWith('.toml'));
    this.files = chosen.filter((file) => file !== own);
    this.#clear();
    if (own) this.mapping = await own.text();
    else if (this.files.length > 0) {
      await this.#do('suggest', async (signal) => {
        const response = await sendFiles('suggestion', {}, this.files, signal);
        this.mapping = ((await response.json()) as { mapping: string }).mapping;
      });
    }
  }

  edit(mapping: string): void {
    this.mapping = mapping;
    this.#clear();
  }

  /** Do everything but write, or write what the preview has shown. */
  async run(write: boolean): Promise<void> {
    this.#clear();
    await this.#do(write ? 'write' : 'preview', async (signal) => {
      const response = await sendFiles('import', { mapping: this.mapping, write }, this.files, signal);
      for await (const line of linesOf(response) as AsyncGenerator<Line>) {
        if (line.progress) this.progress = line.progress;
        if (line.errors) throw new FilesRefused(line.errors.map(({ message }) => message));
        if (line.outcome) this.outcome = line.outcome;
      }
      if (!this.outcome) throw new FilesRefused([]);
    });
  }

  stop(): void {
    this.#stop.abort();
  }

  #clear(): void {
    this.outcome = this.progress = null;
    this.errors = [];
    this.stopped = false;
  }

  async #do(work: 'suggest' | 'preview' | 'write', act: (signal: AbortSignal) => Promise<void>): Promise<void> {
    this.work = work;
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    try {
      await act(signal);
    } catch (error) {
      if (signal.aborted) this.stopped = true;
      else if (error instanceof FilesRefused) this.errors = error.messages.length > 0 ? error.messages : [m.error_silent()];
      // A file that has changed since it was chosen cannot be read any more.
      else if (error instanceof DOMException) this.errors = [m.import_file_changed()];
      else throw error;
    } finally {
      this.work = this.progress = null;
    }
  }
}

export const importing = new Importing();

addEventListener('beforeunload', (event) => {
  if (importing.work === 'write') event.preventDefault();
});
