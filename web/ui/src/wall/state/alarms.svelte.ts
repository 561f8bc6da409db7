// The alarms of this screen, by the rules of alarm-rules.ts. Quieting holds for this screen only.

import type { StandingQuery } from '#graph';

import * as m from '#messages';

import { clock } from '../../shared/clock.svelte';
import { warningName } from '../../shared/describe';
import { alarmsOf, quietAfter, shownAt, type Alarm, type Quiet, type StandingWarning } from './alarm-rules';

export { QUIET_MINUTES, type Alarm } from './alarm-rules';

const KEY = 'huhang:wall:quiet';

export class Alarms {
  #all = $state.raw<Alarm[]>([]);
  #quiet = $state.raw<Quiet>(JSON.parse(localStorage.getItem(KEY) ?? '{}') as Quiet);

  /** Those that this screen shows, the oldest first. */
  get shown(): Alarm[] {
    return shownAt(clock.now, this.#all, this.#quiet);
  }

  take(standing: StandingQuery): void {
    this.#all = alarmsOf(standing, words);
  }

  /** Quiet what is shown. */
  acknowledge(): void {
    this.#quiet = quietAfter(Date.now(), this.#all, this.#quiet);
    localStorage.setItem(KEY, JSON.stringify(this.#quiet));
  }
}

function words({ automatic, headline, kind, level }: StandingWarning): string {
  return automatic ? m.event_rain_issued({ warning: warningName(kind, level) }) : headline;
}
