// The position of this phone. The phone tells the bureau only while an officer has switched that on and is on a round.

import { FieldPositionDocument } from '#graph';

import { GraphError, request } from '../../shared/graph/request';
import type { Place } from './tasks';

/** At most one report a minute, and only after a move of as many metres or after ten minutes. */
const EVERY = 60_000;
const AT_LEAST_EVERY = 600_000;
const MOVED = 100;
const SWITCH = 'huhang:field-position';

export class PositionState {
  /** True if the officer reports positions. Off until they switch it on: each officer for themselves. */
  on = $state(false);
  here = $state.raw<Place | null>(null);
  hereAt = $state(0);
  /** When the server last took a position. */
  reportedAt = $state(0);
  /** The browser's reason for having none. */
  failed = $state<'DENIED' | 'UNAVAILABLE' | null>(null);

  /** The inspector who reports; null for nobody. */
  inspector: string | null = null;

  #account: number | null = null;
  #watch: number | null = null;
  #last: Place | null = null;
  #away: (a: Place, b: Place) => number;

  constructor(away: (a: Place, b: Place) => number) {
    this.#away = away;
  }

  get possible(): boolean {
    return 'geolocation' in navigator && isSecureContext;
  }

  /** The person at the phone. Nothing that another has chosen or reported is theirs. */
  of(account: number): void {
    this.#account = account;
    this.on = localStorage.getItem(`${SWITCH}:${account}`) === 'on';
    this.inspector = this.#last = null;
    this.reportedAt = 0;
  }

  choose(on: boolean): void {
    this.on = on;
    localStorage.setItem(`${SWITCH}:${this.#account}`, on ? 'on' : 'off');
  }

  /** Follow the phone while `wanted`. Low accuracy and a cached position are enough and spare the battery. */
  follow(wanted: boolean): void {
    if (wanted === (this.#watch !== null) || !this.possible) return;
    if (this.#watch !== null) {
      navigator.geolocation.clearWatch(this.#watch);
      this.#watch = null;
      return;
    }
    this.#watch = navigator.geolocation.watchPosition(
      ({ coords, timestamp }) => void this.#take({ latitude: coords.latitude, longitude: coords.longitude }, timestamp),
      (error) => (this.failed = error.code === error.PERMISSION_DENIED ? 'DENIED' : 'UNAVAILABLE'),
      { enableHighAccuracy: false, maximumAge: EVERY, timeout: 60_000 },
    );
  }

  async #take(place: Place, at: number): Promise<void> {
    this.here = place;
    this.hereAt = at;
    this.failed = null;
    const age = Date.now() - this.reportedAt;
    const still = this.#last !== null && this.#away(this.#last, place) < MOVED;
    if (this.inspector === null || age < EVERY || (still && age < AT_LEAST_EVERY)) return;
    try {
      await request(FieldPositionDocument, { input: { inspector: this.inspector, position: place } }, null);
      this.#last = place;
      this.reportedAt = Date.now();
    } catch (error) {
      // The next position is as good as this one.
      if (!(error instanceof GraphError)) throw error;
    }
  }
}
