// Everything the wall shows, read once and then kept up to date by streams.

import {
  BackgroundDocument, PortraitOfDocument, PositionsDocument, ResourcesDocument, SitesDocument, StandingDocument, UpdatesDocument, WallDocument,
  type BackgroundQuery, type BoxInput, type FeedEventFragment, type HistoryFragment, type NumbersFragment, type ResourcesQuery, type StandingQuery, type WallQuery,
} from '#graph';

import { showTimesIn } from '../../shared/format';
import { GraphError, request } from '../../shared/graph/request';
import { SvelteMap } from 'svelte/reactivity';

import { LiveClient } from '../../shared/live/client.svelte';
import type { Cluster, Officer, Site } from '../../shared/map/points';

const FEED = 30;
const RETRY = 5_000;
const MINUTE = 60_000;
const EVERYWHERE: BoxInput = { west: -180, south: -90, east: 180, north: 90 };
const DISTRICT_ZOOM = 10;
/** Milliseconds of five minutes, for trails. */
const TRAIL = 5 * MINUTE;

/** The events after which the numbers at the top right, the alarms or the resources may be others. */
const STANDING = /^(ASSISTANCE|DUTY_REPORT|WARNING|INSPECTION|HAZARD)_/;
const RESOURCES = /^(DISPATCH|TEAM|EXPERT|STOCK|REGISTER)_/;

export class Wall {
  readonly live: LiveClient;
  base = $state.raw<WallQuery | null>(null);
  standing = $state.raw<StandingQuery | null>(null);
  resources = $state.raw<ResourcesQuery | null>(null);
  feed = $state.raw<FeedEventFragment[]>([]);
  /** The portraits of the district and of each zone, by id. */
  portraits = new SvelteMap<string, NumbersFragment>();
  /** The trend of each portrait's rate with its usual band, and the rain. */
  background = $state.raw<BackgroundQuery | null>(null);
  /** The time before which events may be missing from the feed, after a cursor was refused. */
  gapAt = $state<string | null>(null);
  failedAt = $state<number | null>(null);

  /** Enterprises and officers by id. The map draws them; `revision` changes with any of them. */
  readonly sites = new Map<string, Site>();
  /** Instead of enterprises, where they are too many to be points. */
  clusters: Cluster[] = [];
  readonly officers = new Map<string, Officer>();
  revision = $state(0);
  positionsAt = $state(0);

  #token: () => string | null;
  #rejected: () => void;
  #stops: (() => void)[] = [];
  #timers = new Map<string, ReturnType<typeof setTimeout>>();
  #touched = false;
  #boxed = false;
  #looked: { box: BoxInput; zoom: number } | null = null;

  constructor(token: () => string | null, rejected: () => void) {
    this.#token = token;
    this.#rejected = rejected;
    this.live = new LiveClient(token, rejected);
    // Changes of points are drawn twice a second, however many there are.
    setInterval(() => {
      if (this.#touched) this.revision++;
      this.#touched = false;
    }, 500);
    setInterval(() => this.#soon('background', () => this.#readBackground()), MINUTE);
  }

  /** Read the state anew and follow it. Tries again for ever. */
  async load(): Promise<void> {
    this.#stops.splice(0).forEach((stop) => stop());
    try {
      const base = await request(WallDocument, {}, this.#token());
      // After the cursor, so that no change is missed; and on their way while the rest is drawn. Each part is shown when it comes.
      const sites = this.#readSites();
      showTimesIn(base.district.timeZone);
      this.base = base;
      this.feed = base.events.nodes.toReversed();
      // The stream has positions as they change. Until then an officer is where the last one was.
      for (const { position, positionAt, onDuty, ...inspector } of base.inspectors.nodes) if (onDuty && position && positionAt) this.#move(inspector, position, positionAt);
      this.portraits.clear();
      for (const place of [base.district, ...base.zones]) if (place.portrait) this.portraits.set(place.id, place.portrait);
      this.#follow(base);
      await Promise.all([sites, this.#readStanding(), this.#readResources(), this.#readBackground()]);
      this.failedAt = null;
    } catch (error) {
      if (error instanceof GraphError && error.code === 'UNAUTHENTICATED') return this.#rejected();
      this.failedAt = Date.now();
      setTimeout(() => void this.load(), RETRY);
    }
  }

  #follow(base: WallQuery): void {
    const variables = { after: base.cursor };
    const reload = (): void => {
      this.gapAt = new Date().toISOString();
      void this.load();
    };
    this.#stops = [
      this.live.follow(UpdatesDocument, variables, {
        next: ({ updates }) => {
          variables.after = updates.cursor;
          this.#take(updates);
        },
        refused: reload,
      }),
      this.live.follow(PositionsDocument, {}, {
        next: ({ positions }) => this.#move(positions.inspector, positions.position, positions.at),
        refused: () => {},
      }),
      ...[base.district, ...base.zones].map(({ id }) =>
        this.live.follow(PortraitOfDocument, { of: id }, {
          next: ({ portrait }) => this.portraits.set(id, portrait),
          refused: () => {},
        }),
      ),
    ];
  }

  #take(event: FeedEventFragment): void {
    this.feed = [event, ...this.feed].slice(0, FEED);
    const { enterprise } = event;
    if (enterprise) this.#place(enterprise);
    if (STANDING.test(event.kind)) this.#soon('standing', () => this.#readStanding());
    if (RESOURCES.test(event.kind)) this.#soon('resources', () => this.#readResources());
    if (event.kind === 'REGISTER_IMPORTED') this.#soon('sites', () => this.#readSites());
  }

  #place(enterprise: NonNullable<FeedEventFragment['enterprise']>): void {
    const { location, id, riskGrade } = enterprise;
    if (this.#boxed && !this.sites.has(id)) return;
    if (location === null) this.sites.delete(id);
    else this.sites.set(id, { id, grade: riskGrade, ...location });
    this.#touched = true;
  }

  #move(inspector: { id: string; badge: string }, { longitude, latitude }: { longitude: number; latitude: number }, time: string): void {
    const at = Date.parse(time);
    const trail = (this.officers.get(inspector.id)?.trail ?? []).filter(([, , when]) => when > at - TRAIL);
    trail.push([longitude, latitude, at]);
    this.officers.set(inspector.id, { ...inspector, longitude, latitude, at, trail });
    this.positionsAt = Math.max(this.positionsAt, at);
    this.#touched = true;
  }

  /** Run `read` a second from now, once for all that ask for it until then. */
  #soon(name: string, read: () => Promise<void>): void {
    if (this.#timers.has(name)) return;
    const again = (): void => {
      this.#timers.delete(name);
      read().catch(() => this.#soon(name, read));
    };
    this.#timers.set(name, setTimeout(again, 1000));
  }

  async #readStanding(): Promise<void> {
    this.standing = await request(StandingDocument, {}, this.#token());
  }

  async #readResources(): Promise<void> {
    this.resources = await request(ResourcesDocument, {}, this.#token());
  }

  async #readBackground(): Promise<void> {
    this.background = await request(BackgroundDocument, {}, this.#token());
  }

  /** The trend of a portrait's rate; null where it is not known. */
  history(id: string): HistoryFragment | null {
    const { district, zones } = this.background ?? { district: null, zones: [] };
    return [...(district ? [district] : []), ...zones].find((place) => place.id === id)?.rateHistory ?? null;
  }

  /** The part of the map that is looked at. Where there are more enterprises than points, its clusters are read. */
  look(box: BoxInput, zoom: number): void {
    this.#looked = { box, zoom };
    if (this.#boxed) this.#soon('sites', () => this.#readSites());
  }

  /** All enterprises while they are few enough to be points, else those in the part that is looked at. */
  async #readSites(): Promise<void> {
    const view = this.#boxed && this.#looked ? this.#looked : { box: EVERYWHERE, zoom: DISTRICT_ZOOM };
    const { points, clusters } = (await request(SitesDocument, view, this.#token())).enterpriseMap;
    if (clusters && !this.#boxed) {
      this.#boxed = true;
      if (this.#looked) return this.#readSites();
    }
    this.clusters = (clusters?.counts ?? []).map((count, i) => ({ count, longitude: clusters!.longitudes[i]!, latitude: clusters!.latitudes[i]! }));
    this.sites.clear();
    for (const { riskGrade, ids, longitudes, latitudes } of points ?? []) {
      ids.forEach((id, i) => this.sites.set(id, { id, grade: riskGrade, longitude: longitudes[i]!, latitude: latitudes[i]! }));
    }
    this.revision++;
  }
}
