// Everything that the page knows, in one place: the person, the outbox, and what the server said.

import { FieldChangesDocument, FieldFileDocument, FieldRoundDocument, FieldStateDocument } from '#graph';
import type { FieldFileQuery, FieldRoundQuery, FieldStateQuery } from '#graph';

import { showTimesIn } from '../../shared/format';
import { request } from '../../shared/graph/request';
import { locale } from '../../shared/locale.svelte';
import { metresBetween } from '../../shared/map/bearing';
import { newId } from '../../shared/new-id';
import { isPending, type Action, type NewAction } from '../outbox/action';
import { Outbox, type Pause } from '../outbox/outbox';
import { sender, type Progress } from '../send/sender';
import { actionStore, forgetOld } from '../store/actions';
import { isFull } from '../store/database';
import { removePhoto, sweepPhotos } from '../store/photos';
import { PersonState } from './person.svelte';
import { PositionState } from './position.svelte';
import { Reading } from './reading.svelte';

const LOCK = 'huhang-field-outbox';
/** At most one question in so many milliseconds, however much happens. */
const CALM = 1_000;
const SAME_TAP = 1_000;

export class Field {
  person = new PersonState();
  position = new PositionState(metresBetween);
  actions = $state.raw<Action[]>([]);
  sending = $state<string | null>(null);
  progress = $state.raw<Progress | null>(null);
  nextAttempt = $state<number | null>(null);
  pause = $state<Pause | null>(null);
  round = $state.raw<Reading<FieldRoundQuery> | null>(null);
  state = $state.raw<Reading<FieldStateQuery> | null>(null);
  /** The last act could not be stored: the phone is full. */
  full = $state(false);

  outbox: Outbox;

  #account: number | null = null;
  #tapped: { subject: string; at: number; done: Promise<boolean> } | null = null;
  #channel = new BroadcastChannel(LOCK);
  #followed: number | null = null;
  #stop: () => void = () => {};
  #calm: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    this.outbox = new Outbox({
      store: actionStore,
      sender: sender({
        language: () => locale.tag,
        ahead: () => this.person.ahead,
        progress: (progress) => (this.progress = progress),
      }),
      lock: (work) => (navigator.locks ? navigator.locks.request(LOCK, work) : work()),
      now: () => Date.now(),
      random: Math.random,
      newId,
      later: (milliseconds, act) => {
        const timer = setTimeout(act, milliseconds);
        return () => clearTimeout(timer);
      },
      person: () => (this.person.who ? { account: this.person.who.account, name: this.person.who.fullName } : null),
      ahead: () => this.person.ahead,
      changed: () => this.#show(),
    });
  }

  async start(): Promise<void> {
    this.#channel.onmessage = () => void this.outbox.refresh();
    await this.outbox.refresh();
    this.person.onchange = () => this.#personChanged();
    addEventListener('online', () => this.outbox.wake());
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'visible') this.outbox.wake();
    });
    await forgetOld(Date.now());
    await sweepPhotos(this.actions, Date.now());
    await this.person.start();
  }

  /**
   * Store what a person did with one tap; it is sent when it can be. False if the phone has no room for it. A second tap
   * about the same subject within a second is the same act, although the button may be another one by then.
   */
  act(...actions: [NewAction, ...NewAction[]]): Promise<boolean> {
    const { subject } = actions[0];
    const now = performance.now();
    if (this.#tapped === null || this.#tapped.subject !== subject || now - this.#tapped.at > SAME_TAP) {
      this.#tapped = { subject, at: now, done: this.#store(actions) };
    }
    return this.#tapped.done;
  }

  /** Take a tap back. */
  async undo(id: string): Promise<void> {
    this.#tapped = null;
    await this.outbox.undo(id);
  }

  async #store(actions: NewAction[]): Promise<boolean> {
    try {
      for (const action of actions) await this.outbox.add(action);
      // The browser may else erase what waits here when the phone runs out of room.
      void navigator.storage?.persist?.();
      this.full = false;
      return true;
    } catch (error) {
      if (!isFull(error)) throw error;
      this.full = true;
      return false;
    }
  }

  file(id: string): Reading<FieldFileQuery> {
    const account = this.person.who!.account;
    return new Reading(account, `file:${id}`, () => request(FieldFileDocument, { id }, null));
  }

  /** The actions of the person who is signed in. */
  get mine(): Action[] {
    return this.actions.filter(({ account }) => account === this.person.who?.account);
  }

  get waiting(): Action[] {
    return this.mine.filter(({ status }) => status === 'waiting');
  }

  /** The actions of this person that are not yet shown in what the server said at `readAt`, whether sent or not. */
  pending(readAt: number): Action[] {
    return this.mine.filter((action) => isPending(action, readAt));
  }

  get refused(): Action[] {
    return this.mine.filter(({ status }) => status === 'refused');
  }

  /** The actions that others left on this phone. They are sent when those people sign in here. */
  get ofOthers(): Action[] {
    return this.actions.filter(({ account, status }) => account !== this.person.who?.account && status === 'waiting');
  }

  /** Ask for everything that is shown, soon. */
  readAgain(): void {
    this.#calm ??= setTimeout(() => {
      this.#calm = undefined;
      void this.round?.ask();
      void this.state?.ask();
    }, CALM);
  }

  #show(): void {
    const before = this.sending;
    const { actions, sending, nextAttempt, pause } = this.outbox;
    this.actions = actions;
    this.sending = sending;
    this.nextAttempt = nextAttempt;
    this.pause = pause;
    if (before !== sending) {
      this.#channel.postMessage('changed');
      void this.#forgetPhotos(actions.filter(({ id }) => id === before));
      if (sending === null) this.readAgain();
    }
  }

  /** The server has the photographs of what was sent. */
  async #forgetPhotos(actions: Action[]): Promise<void> {
    for (const { status, photos } of actions) if (status === 'sent') for (const { photo } of photos) await removePhoto(photo);
  }

  #personChanged(): void {
    const who = this.person.who;
    if (who && who.account !== this.#account) {
      this.#account = who.account;
      this.position.of(who.account);
      this.round?.close();
      this.state?.close();
      this.round = who.role === 'INSPECTOR' ? new Reading(who.account, 'round', () => this.#readRound()) : null;
      this.state = who.role === 'ENTERPRISE' ? new Reading(who.account, 'state', () => this.#readState()) : null;
      void this.round?.start();
      void this.state?.start();
    } else {
      this.readAgain();
    }
    if (this.person.known && !this.person.signedOut) {
      this.outbox.wake();
      this.#follow(who?.account ?? null);
    } else {
      this.#follow(null);
    }
  }

  /** Follow what changes for a person. The client itself goes on after each reconnection. */
  #follow(account: number | null): void {
    const live = this.person.live;
    if (account === this.#followed || !live) return;
    this.#followed = account;
    this.#stop();
    this.#stop = () => {};
    if (account !== null) this.#stop = live.follow(FieldChangesDocument, {}, { next: () => this.readAgain(), refused: () => {} });
  }

  async #readRound(): Promise<FieldRoundQuery> {
    const timeZone = this.round?.value?.district.timeZone;
    const today = new Intl.DateTimeFormat('en-CA', timeZone ? { timeZone } : {}).format(this.person.time);
    const round = await request(FieldRoundDocument, { today }, null);
    showTimesIn(round.district.timeZone);
    this.position.inspector = round.viewer.inspector?.id ?? null;
    return round;
  }

  async #readState(): Promise<FieldStateQuery> {
    const state = await request(FieldStateDocument, {}, null);
    showTimesIn(state.district.timeZone);
    return state;
  }
}

export const field = new Field();
