// The state that all views of the desk share: the district, the warnings in force, and the stream of events.

import { DeskDocument, UpdatesDocument, type DeskQuery, type FeedEventFragment } from '#graph';

import { showTimesIn } from '../../shared/format';
import { GraphError, request } from '../../shared/graph/request';
import { LiveClient } from '../../shared/live/client.svelte';
import { Presence } from './presence.svelte';

const RETRY = 5_000;
/** Milliseconds in which events are gathered before what they change is read again. */
const GATHER = 150;

export class Desk {
  readonly live: LiveClient;
  readonly presence: Presence;
  base = $state.raw<DeskQuery | null>(null);
  /** The last event, with the number that the log gave it. */
  last = $state.raw<FeedEventFragment | null>(null);
  failed = $state.raw<GraphError | null>(null);

  #rejected: () => void;
  #stop = (): void => {};
  #readers = new Set<(events: FeedEventFragment[]) => void>();
  #gathered: FeedEventFragment[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `rejected` is called when the person's sign-in has ended. */
  constructor(rejected: () => void) {
    this.#rejected = rejected;
    this.live = new LiveClient(() => null, rejected);
    this.presence = new Presence(this.live);
  }

  get number(): string | null {
    return (this.last?.cursor ?? this.base?.cursor)?.split('-').at(-1) ?? null;
  }

  /** Read the district and follow its events. Tries again for ever. */
  async load(): Promise<void> {
    this.#stop();
    try {
      const base = await request(DeskDocument, {}, null);
      showTimesIn(base.district.timeZone);
      this.base = base;
      this.failed = null;
      this.#follow(base.cursor);
      this.#tell([]);
    } catch (error) {
      if (!(error instanceof GraphError)) throw error;
      if (error.code === 'UNAUTHENTICATED') return this.#rejected();
      this.failed = error;
      setTimeout(() => void this.load(), RETRY);
    }
  }

  /** Have `reader` told what has happened, in batches; of an empty batch nothing is known. Returns how to stop it. */
  onevents(reader: (events: FeedEventFragment[]) => void): () => void {
    this.#readers.add(reader);
    return () => this.#readers.delete(reader);
  }

  close(): void {
    this.#stop();
    clearTimeout(this.#timer);
    this.live.close();
  }

  #follow(cursor: string): void {
    const variables = { after: cursor };
    this.#stop = this.live.follow(UpdatesDocument, variables, {
      next: ({ updates }) => {
        variables.after = updates.cursor;
        this.last = updates;
        this.#gathered.push(updates);
        this.#timer ??= setTimeout(() => this.#hand(), GATHER);
      },
      // The cursor is too old, or of a log that was restored: everything is read anew.
      refused: () => void this.load(),
    });
  }

  #hand(): void {
    this.#timer = undefined;
    const events = this.#gathered.splice(0);
    if (events.some(({ kind }) => kind.startsWith('WARNING_'))) void this.#readBase();
    this.#tell(events);
  }

  #tell(events: FeedEventFragment[]): void {
    this.#readers.forEach((reader) => reader(events));
  }

  async #readBase(): Promise<void> {
    try {
      this.base = await request(DeskDocument, {}, null);
    } catch {
      // The next event or connection reads it.
    }
  }
}
