// The map of the district. Data change features one by one; the map is never drawn anew as a whole.

import Feature from 'ol/Feature';
import OlMap from 'ol/Map';
import View from 'ol/View';
import { boundingExtent, createEmpty, extend, type Extent } from 'ol/extent';
import LineString from 'ol/geom/LineString';
import Point from 'ol/geom/Point';
import { DragPan, KeyboardPan, KeyboardZoom, MouseWheelZoom, PinchZoom, DoubleClickZoom } from 'ol/interaction';
import VectorLayer from 'ol/layer/Vector';
import { fromLonLat, getPointResolution, transformExtent } from 'ol/proj';
import VectorSource from 'ol/source/Vector';
import Stroke from 'ol/style/Stroke';
import Style from 'ol/style/Style';

import type { BoxInput, ResourcesQuery, WallQuery } from '#graph';

import type { Cluster, Officer, Site } from '../state/wall.svelte';
import { cluster, type Projected } from './clusters';
import { middle, placesWithin, pointFeature, ringFeature, ringStyle, zoneFeature, zoneStyles } from './geography';
import { drawLabels, type Words } from './draw-labels';
import { Shapes } from './shapes';
import { readTheme, type Grade, type Theme } from './theme';

/** What a click chose. */
export type Choice = { kind: 'enterprise' | 'venue' | 'zone'; id: string };
export type Cause = { id: string; longitude: number; latitude: number; text: string };
/** A line from a venue to a means of help: longitude and latitude of its ends, and its words. */
export type Link = { from: [number, number]; to: [number, number]; letter: string; text: string };
export type Warned = { zone: string; hue: Grade; text: string };
/** What the map shows after a move: metres of one CSS pixel, whether enterprises stand together as discs, box and zoom. */
export type Moved = { metresPerPixel: number; together: boolean; box: BoxInput; zoom: number };
export type Letters = { team: string; warehouse: string; expert: string };
type Named = { name: (place: { name: string; nameEn?: string | null }) => string };

/** A position older than this is drawn hollow. */
const OLD = 30 * 60_000;
const MOVE = 600;
/** From so many map units (metres at the equator) a pixel of the design on, points of medium and low risk stand together. */
const NEAR = 50;
const reduced = matchMedia('(prefers-reduced-motion: reduce)');

export class DistrictMap {
  readonly map: OlMap;
  /** Called when the map has moved. */
  onmoved: (moved: Moved) => void = () => {};

  #theme: Theme = readTheme();
  #shapes = new Shapes(this.#theme);
  #zones = new VectorSource();
  #rings = new VectorSource();
  #sites = new VectorSource<Feature<Point>>();
  #means = new VectorSource<Feature<Point>>();
  #officers = new VectorSource();
  #venues = new VectorSource<Feature<Point>>();
  #halos = new VectorSource();
  #opened = new VectorSource();
  #labels = new VectorSource();

  #base: WallQuery | null = null;
  #projected = new Map<string, Projected>();
  #resources: { resources: ResourcesQuery; letters: Letters } | null = null;
  #clusters: { x: number; y: number; count: number }[] = [];
  #warned: Warned[] = [];
  #causes: Cause[] = [];
  #links: Link[] = [];
  #chosenZone: string | null = null;
  #chosenVenue: string | null = null;
  #hidden = new Set<Grade>();
  #names: Named['name'] = ({ name }) => name;

  constructor(target: HTMLElement, choose: (choice: Choice) => void) {
    const layer = (source: VectorSource, zIndex: number): VectorLayer => new VectorLayer({ source, zIndex, updateWhileAnimating: true, updateWhileInteracting: true });
    this.map = new OlMap({
      target,
      controls: [],
      interactions: [new DragPan(), new MouseWheelZoom(), new PinchZoom(), new DoubleClickZoom(), new KeyboardPan(), new KeyboardZoom()],
      layers: [this.#zones, this.#rings, this.#means, this.#sites, this.#officers, this.#opened, this.#venues, this.#halos, this.#labels].map(
        (source, index) => layer(source as VectorSource, index),
      ),
      view: new View({ center: fromLonLat([120.35, 30.1]), zoom: 10, minZoom: 8, maxZoom: 18, enableRotation: false }),
    });
    this.map.on('moveend', () => this.#settled());
    this.map.on('singleclick', ({ pixel }) => {
      const choice = this.#at(pixel);
      if (choice) choose(choice);
    });
    this.map.on('pointermove', ({ pixel, dragging }) => {
      if (!dragging) target.style.cursor = this.#at(pixel, 'zone') ? 'pointer' : '';
    });
  }

  destroy(): void {
    this.map.setTarget(undefined);
    this.map.dispose();
  }

  /** Zones, rings and venues. Fits the map to the district the first time. */
  setBase(base: WallQuery): void {
    const first = this.#base === null;
    this.#base = base;
    replace(this.#zones, base.zones.map(zoneFeature));
    this.#drawRings();
    replace(this.#venues, base.venues.nodes.flatMap((venue) => (venue.location ? [pointFeature(venue.id, venue.location)] : [])));
    this.restyle();
    if (first) this.#show(0);
  }

  /** Names in the page's language. */
  setNames(names: Named['name']): void {
    this.#names = names;
    this.#drawLabels();
  }

  setSites(sites: Iterable<Site>, clusters: Cluster[]): void {
    this.#clusters = clusters.map(({ longitude, latitude, count }) => {
      const [x, y] = fromLonLat([longitude, latitude]);
      return { x: x!, y: y!, count };
    });
    const seen = new Set<string>();
    for (const site of sites) {
      seen.add(site.id);
      if (this.#projected.get(site.id)?.site === site) continue;
      const [x, y] = fromLonLat([site.longitude, site.latitude]);
      this.#projected.set(site.id, { x: x!, y: y!, site });
    }
    for (const id of this.#projected.keys()) if (!seen.has(id)) this.#projected.delete(id);
    this.#drawSites();
  }

  /** Risk grades that the legend hides. */
  setHidden(grades: Set<Grade>): void {
    this.#hidden = grades;
    this.#drawSites();
  }

  setResources(resources: ResourcesQuery, letters: Letters): void {
    this.#resources = { resources, letters };
    this.#drawResources();
  }

  #drawResources(): void {
    if (!this.#resources) return;
    const { resources, letters } = this.#resources;
    const features: Feature<Point>[] = [];
    const add = (nodes: { id: string; location: { longitude: number; latitude: number } | null }[], letter: string): void => {
      for (const { id, location } of nodes) {
        if (!location) continue;
        const feature = pointFeature(id, location);
        feature.setStyle(this.#shapes.resource(letter, false, this.#causes.length > 0));
        features.push(feature);
      }
    };
    add(resources.teams.nodes, letters.team);
    add(resources.warehouses.nodes, letters.warehouse);
    add(resources.experts.nodes, letters.expert);
    replace(this.#means, features);
  }

  setOfficers(officers: Iterable<Officer>, now: number): void {
    const features: Feature[] = [];
    for (const { longitude, latitude, at, trail, id } of officers) {
      const path = trail.map(([x, y]) => fromLonLat([x, y]));
      const here = fromLonLat([longitude, latitude]);
      if (path.length > 1 && now - at < OLD) {
        const line = new Feature(new LineString(path));
        line.setStyle(new Style({ stroke: new Stroke({ color: this.#theme.label, width: 1.5 * this.#theme.unit }), zIndex: 6 }));
        features.push(line);
      }
      const before = path.length > 1 ? path[path.length - 2]! : here;
      const heading = Math.atan2(here[0]! - before[0]!, here[1]! - before[1]!);
      const feature = new Feature(new Point(here));
      feature.setId(id);
      feature.setStyle(this.#shapes.officer(heading, now - at > OLD));
      features.push(feature);
    }
    replace(this.#officers, features);
  }

  setWarned(warned: Warned[]): void {
    this.#warned = warned;
    this.#styleZones();
    this.#drawLabels();
  }

  /** What alarms are about. The map goes there and dims the rest. */
  setCauses(causes: Cause[]): void {
    const before = this.#causes.map(({ id }) => id).join();
    this.#causes = causes;
    if (causes.map(({ id }) => id).join() === before) return;
    replace(this.#halos, causes.map((cause) => {
      const feature = pointFeature(cause.id, cause);
      feature.setStyle(this.#shapes.halo());
      return feature;
    }));
    this.#drawSites();
    this.#drawResources();
    if (causes.length > 0) this.#go(boundingExtent(causes.map(({ longitude, latitude }) => fromLonLat([longitude, latitude]))), 12.5);
    else this.#show();
  }

  /** Show a zone, or the district for null. */
  fit(zone: string | null, duration = MOVE): void {
    this.#chosenZone = zone;
    const extent = createEmpty();
    for (const feature of this.#zones.getFeatures()) {
      if (zone === null || feature.getId() === zone) extend(extent, feature.getGeometry()!.getExtent());
    }
    if (Number.isFinite(extent[0])) this.#go(extent, 16, duration);
  }

  /** Show a venue with its rings; null for none. */
  chooseVenue(id: string | null): void {
    if (id === this.#chosenVenue) return;
    this.#chosenVenue = id;
    this.#drawRings();
    this.#styleVenues();
    this.#show();
  }

  /** Go to the chosen venue's rings, else to the chosen zone or the district. */
  #show(duration = MOVE): void {
    const rings = this.#rings.getFeatures().filter((ring) => ring.get('venue') === this.#chosenVenue);
    const extent = createEmpty();
    for (const ring of rings) extend(extent, ring.getGeometry()!.getExtent());
    if (Number.isFinite(extent[0])) this.#go(extent, 15, duration);
    else this.fit(this.#chosenZone, duration);
  }

  /** What the panels list: lines from the venue to the means, and a ring around the enterprise whose file is open. */
  setOpened(links: Link[], enterprise: { longitude: number; latitude: number } | null): void {
    const { unit, text } = this.#theme;
    const features: Feature[] = links.map(({ from, to }) => {
      const line = new Feature(new LineString([fromLonLat(from), fromLonLat(to)]));
      line.setStyle(new Style({ stroke: new Stroke({ color: text, width: unit }) }));
      return line;
    });
    for (const { to, letter } of links) {
      const mark = new Feature(new Point(fromLonLat(to)));
      mark.setStyle(this.#shapes.resource(letter, true));
      features.push(mark);
    }
    if (enterprise) {
      const ring = pointFeature('opened', enterprise);
      ring.setStyle(this.#shapes.halo());
      features.push(ring);
    }
    replace(this.#opened, features);
    this.#links = links;
    this.#drawLabels();
  }

  /** Read the tokens again, after the theme, the size of the screen or the age of the data has changed. */
  restyle(): void {
    this.#theme = readTheme();
    this.#shapes = new Shapes(this.#theme);
    this.#styleZones();
    this.#styleVenues();
    for (const ring of this.#rings.getFeatures()) ring.setStyle(ringStyle(ring.get('grade'), this.#theme));
    this.#sites.clear();
    this.#drawSites();
    this.#drawResources();
    this.#drawLabels();
  }

  #styleZones(): void {
    for (const feature of this.#zones.getFeatures()) {
      const warning = this.#warned.find(({ zone }) => zone === feature.getId());
      feature.setStyle(zoneStyles(this.#theme, warning?.hue ? this.#theme.fill[warning.hue] : null));
    }
  }

  #styleVenues(): void {
    for (const venue of this.#venues.getFeatures()) venue.setStyle(this.#shapes.venue(venue.getId() === this.#chosenVenue));
  }

  #drawRings(): void {
    const features = (this.#base?.venues.nodes ?? []).flatMap((venue) =>
      venue.rings.flatMap(({ grade, radiusMetres }) => {
        if (grade === 'ALERT' && venue.id !== this.#chosenVenue) return [];
        const feature = ringFeature(venue, grade, radiusMetres);
        feature?.setStyle(ringStyle(grade, this.#theme));
        return feature ? [feature] : [];
      }),
    );
    replace(this.#rings, features);
  }

  /** One pixel of the design in units of the map. */
  get #pixel(): number {
    return (this.map.getView().getResolution() ?? 1) * this.#theme.unit;
  }

  get #together(): boolean {
    return this.#chosenVenue === null && this.#pixel > NEAR;
  }

  #drawSites(): void {
    const shown = [...this.#projected.values()].filter(({ site }) => !this.#hidden.has(site.grade));
    const dim = this.#causes.length > 0;
    const wanted = new Map<string, Feature<Point>>();
    for (const mark of [...cluster(shown, this.#pixel, this.#together), ...this.#clusters]) {
      const key = 'site' in mark ? mark.site.id : `disc ${mark.x} ${mark.y} ${mark.count}`;
      const style = 'site' in mark ? this.#shapes.point(mark.site.grade, dim && !this.#isCause(mark.site.id)) : this.#shapes.disc(mark.count, dim);
      const existing = this.#sites.getFeatureById(key) as Feature<Point> | null;
      const feature = existing ?? new Feature(new Point([mark.x, mark.y]));
      if (!existing) feature.setId(key);
      else if (feature.getGeometry()!.getFirstCoordinate()[0] !== mark.x) feature.getGeometry()!.setCoordinates([mark.x, mark.y]);
      if (feature.getStyle() !== style) feature.setStyle(style);
      wanted.set(key, feature);
    }
    for (const feature of this.#sites.getFeatures()) if (!wanted.has(String(feature.getId()))) this.#sites.removeFeature(feature);
    this.#sites.addFeatures([...wanted.values()].filter((feature) => !this.#sites.hasFeature(feature)));
  }

  #isCause(id: string): boolean {
    return this.#causes.some((cause) => cause.id === id);
  }

  #settled(): void {
    this.#drawSites();
    this.#drawLabels();
    const view = this.map.getView();
    const [west, south, east, north] = transformExtent(view.calculateExtent(), 'EPSG:3857', 'EPSG:4326') as [number, number, number, number];
    this.onmoved({
      metresPerPixel: getPointResolution(view.getProjection(), view.getResolution() ?? 1, view.getCenter() ?? [0, 0], 'm'),
      together: this.#together,
      box: { west, south, east, north },
      zoom: Math.round(view.getZoom() ?? 0),
    });
  }

  #drawLabels(): void {
    const size = this.map.getSize();
    if (!this.#base || !size) return;
    const zones = this.#zones.getFeatures().flatMap((feature) => {
      const zone = this.#base!.zones.find(({ id }) => id === feature.getId());
      return zone ? [{ at: this.#emptiest(feature), text: this.#names(zone) }] : [];
    });
    const towns = this.#together ? [] : this.#base.zones.flatMap((zone) => zone.towns).flatMap((town) => this.#named(town));
    replace(this.#labels, drawLabels(this.map, this.#theme, {
      causes: this.#causes.map((cause) => ({ at: fromLonLat([cause.longitude, cause.latitude]), text: cause.text })),
      zones,
      venues: this.#base.venues.nodes.flatMap((venue) => this.#named(venue)),
      links: this.#links.map(({ to, text }) => ({ at: fromLonLat(to), text })),
      towns,
    }));
  }

  #named(place: { name: string; nameEn?: string | null; location: { longitude: number; latitude: number } | null }): Words[] {
    const { location } = place;
    return location ? [{ at: fromLonLat([location.longitude, location.latitude]), text: this.#names(place) }] : [];
  }

  /** The place in a zone where its name covers the fewest enterprises. */
  #emptiest(feature: Feature): number[] {
    const places = placesWithin(feature, this.map.getView().calculateExtent());
    const [width, height] = [60 * this.#pixel, 22 * this.#pixel];
    let best = middle(feature);
    let least = Infinity;
    for (const [x, y] of places) {
      let covered = 0;
      for (const site of this.#projected.values()) if (Math.abs(site.x - x) < width && Math.abs(site.y - y) < height) covered++;
      for (const venue of this.#venues.getFeatures()) {
        const [venueX, venueY] = venue.getGeometry()!.getFirstCoordinate();
        if (Math.abs(venueX! - x) < 2 * width && Math.abs(venueY! - y) < 2 * height) covered += 20;
      }
      if (covered < least) [least, best] = [covered, [x, y]];
    }
    return best;
  }

  #at(pixel: number[], except?: Choice['kind']): Choice | null {
    const tolerance = { hitTolerance: 6 };
    let choice: Choice | null = null;
    this.map.forEachFeatureAtPixel(pixel, (feature) => {
      const id = String(feature.getId() ?? '');
      if (this.#venues.getFeatureById(id)) choice = { kind: 'venue', id };
      else if (this.#projected.has(id)) choice = { kind: 'enterprise', id };
      else if (except !== 'zone' && this.#zones.getFeatureById(id)) choice ??= { kind: 'zone', id };
      return choice !== null && (choice as Choice).kind !== 'zone';
    }, tolerance);
    return choice;
  }

  #go(extent: Extent, maxZoom: number, duration = MOVE): void {
    const pad = 48 * this.#theme.unit;
    this.map.getView().fit(extent, { padding: [pad, pad, pad, pad], maxZoom, duration: reduced.matches ? 0 : duration });
  }
}

function replace(source: VectorSource, features: Feature[]): void {
  source.clear(true);
  source.addFeatures(features);
}
