// The outbox: sends the actions of this phone one at a time and in their order, each once, until the server has said what
// became of it. It knows neither the browser's storage nor the network; a store, a sender and a lock are given to it.

import { choose, HOLD, isHeld, type Action, type NewAction, type Refusal } from './action';
import { backoff } from './backoff';

/** The store of actions. Each call is one transaction that is on the disk when it returns. */
export type ActionStore = {
  /** All actions by their order. */
  all(): Promise<Action[]>;
  /** Adds an action at the end of the order and gives it its place. */
  add(action: Omit<Action, 'order'>): Promise<Action>;
  /** Replaces an action by what `change` makes of it, or removes it for null. Returns the new one; undefined changes nothing. */
  change(id: string, change: (action: Action) => Action | null | undefined): Promise<Action | null | undefined>;
};

/** Why nothing can be sent until a person acts: nobody is signed in, or somebody else is. */
export type Pause = 'SIGNED_OUT' | 'OTHER_PERSON';

export type Outcome =
  | { type: 'done'; at: number }
  | { type: 'refused'; refusal: Refusal }
  /** No answer, or one that asks to come again after `wait` milliseconds. */
  | { type: 'again'; wait?: number }
  /** The server failed inside: it may be the server, and it may be this action. */
  | { type: 'fault'; refusal: Refusal }
  | { type: 'paused'; pause: Pause };

export type Sender = { send(action: Action): Promise<Outcome> };

export type Person = { account: number; name: string };

export type Surroundings = {
  store: ActionStore;
  sender: Sender;
  /** Runs work while no other tab of this phone does. */
  lock: <T>(work: () => Promise<T>) => Promise<T>;
  now: () => number;
  random: () => number;
  newId: () => string;
  /** Calls back once after so many milliseconds; the returned function cancels it. */
  later: (milliseconds: number, act: () => void) => () => void;
  person: () => Person | null;
  /** The milliseconds by which this phone's clock is ahead of the server's; null if not known. */
  ahead: () => number | null;
  /** Called after each change of what the outbox shows. */
  changed: () => void;
};

/** After so many failures of the server inside one action it is set aside, so that it does not stop the others for ever. */
const FAULTS = 5;

export class Outbox {
  /** All actions as they were last read, by order. */
  actions: Action[] = [];
  /** The one that is being sent now. */
  sending: string | null = null;
  /** When the next attempt begins after a failure, by this phone's clock; null if none failed. */
  nextAttempt: number | null = null;
  pause: Pause | null = null;

  #with: Surroundings;
  #running = false;
  #again = false;
  #failures = 0;
  #cancel: () => void = () => {};

  constructor(surroundings: Surroundings) {
    this.#with = surroundings;
  }

  /** Store an action for the person who is signed in. It is on the disk when this returns. The taps before it can no longer be undone. */
  async add({ undoable, ...action }: NewAction): Promise<Action> {
    const { store, person, now, newId, ahead } = this.#with;
    const who = person();
    if (!who) throw new Error('nobody is known on this phone');
    for (const held of this.actions) {
      if (held.holdUntil !== null) await store.change(held.id, (each) => ({ ...each, holdUntil: null }));
    }
    const added = await store.add({
      ...action,
      id: newId(),
      account: who.account,
      person: who.name,
      tappedAt: now(),
      ahead: ahead(),
      holdUntil: undoable ? now() + HOLD : null,
      begun: false,
      status: 'waiting',
      faults: 0,
      refusal: null,
      sentAt: null,
    });
    await this.refresh();
    void this.#run();
    return added;
  }

  /** Take a tap back. False if it is too late: sending may have begun. */
  async undo(id: string): Promise<boolean> {
    const { store, now } = this.#with;
    const left = await store.change(id, (action) => (isHeld(action, now()) ? null : undefined));
    await this.refresh();
    void this.#run();
    return left === null;
  }

  /** Send a refused action once more, with another input if a person corrected it. */
  async resend(id: string, input?: Record<string, unknown>): Promise<void> {
    await this.#with.store.change(id, (action) =>
      action.status === 'refused' ? { ...action, status: 'waiting', faults: 0, refusal: null, ...(input ? { input } : {}) } : undefined,
    );
    await this.refresh();
    this.wake();
  }

  /** Put a refused action away. It stays readable; what waited for it is sent. */
  async putAway(id: string): Promise<void> {
    await this.#with.store.change(id, (action) => (action.status === 'refused' ? { ...action, status: 'closed' } : undefined));
    await this.refresh();
    this.wake();
  }

  /** Try at once: the network or the page is back, somebody signed in, or a person asked for it. */
  wake(): void {
    this.#cancel();
    this.nextAttempt = null;
    this.pause = null;
    void this.#run();
  }

  /** Read the store again, which another tab may have changed. */
  async refresh(): Promise<void> {
    this.actions = await this.#with.store.all();
    this.#with.changed();
  }

  async #run(): Promise<void> {
    this.#again = true;
    if (this.#running) return;
    this.#running = true;
    try {
      while (this.#again) {
        this.#again = false;
        await this.#with.lock(() => this.#drain());
      }
    } catch (error) {
      // The phone's own store failed. What it holds is still there, and is tried again.
      console.error(error);
      this.#failed();
    } finally {
      this.#running = false;
    }
  }

  async #drain(): Promise<void> {
    const { store, person, now } = this.#with;
    for (;;) {
      await this.refresh();
      const choice = choose(this.actions, person()?.account ?? null, now());
      if ('none' in choice) return;
      if ('wait' in choice) return this.#later(choice.wait);
      const action = await store.change(choice.action.id, (each) =>
        each.status === 'waiting' && !isHeld(each, now()) ? { ...each, begun: true, holdUntil: null } : undefined,
      );
      if (!action) continue;
      this.sending = action.id;
      await this.refresh();
      const outcome = await this.#with.sender.send(action).finally(() => (this.sending = null));
      const goesOn = await this.#settle(action, outcome);
      if (!goesOn) return void (await this.refresh());
    }
  }

  /** Store what became of an action. False if sending stops for now. */
  async #settle(action: Action, outcome: Outcome): Promise<boolean> {
    const { change } = this.#with.store;
    switch (outcome.type) {
      case 'done':
        await change(action.id, (each) => ({ ...each, status: 'sent', sentAt: outcome.at, heardAt: this.#with.now() }));
        this.#succeeded();
        return true;
      case 'refused':
        await change(action.id, (each) => ({ ...each, status: 'refused', refusal: outcome.refusal }));
        this.#succeeded();
        return true;
      case 'fault':
        return this.#fault(action, outcome.refusal);
      case 'paused':
        this.pause = outcome.pause;
        return false;
      case 'again':
        this.#failed(outcome.wait);
        return false;
    }
  }

  async #fault(action: Action, refusal: Refusal): Promise<boolean> {
    const faults = action.faults + 1;
    const over = faults >= FAULTS;
    await this.#with.store.change(action.id, (each) => (over ? { ...each, faults, status: 'refused', refusal } : { ...each, faults }));
    if (!over) this.#failed();
    return over;
  }

  #succeeded(): void {
    this.#failures = 0;
    this.nextAttempt = null;
  }

  #failed(asked?: number): void {
    this.#failures++;
    const wait = backoff(this.#failures, this.#with.random, asked);
    this.nextAttempt = this.#with.now() + wait;
    this.#later(wait);
  }

  #later(milliseconds: number): void {
    this.#cancel();
    this.#cancel = this.#with.later(milliseconds, () => void this.#run());
  }
}
