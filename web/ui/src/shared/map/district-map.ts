// The map of the district. Data change features one by one; the map is never drawn anew as a whole.

import Feature from 'ol/Feature';
import OlMap from 'ol/Map';
import View from 'ol/View';
import { boundingExtent, createEmpty, extend, type Extent } from 'ol/extent';
import Point from 'ol/geom/Point';
import { DragPan, KeyboardPan, KeyboardZoom, MouseWheelZoom, PinchZoom, DoubleClickZoom } from 'ol/interaction';
import VectorLayer from 'ol/layer/Vector';
import { fromLonLat, getPointResolution, transformExtent } from 'ol/proj';
import VectorSource from 'ol/source/Vector';
import type Style from 'ol/style/Style';

import type { BoxInput, MapVenueFragment, MapZoneFragment, ResourcesQuery } from '#graph';

import type { Cluster, Officer, Site } from './points';
import type { BaseMap } from './base-map';
import { arrange, Room, single, type Projected } from './clusters';
import { emptiest, place, pointFeature, replace, ringFeature, ringStyle, zoneFeature, zoneStyles } from './geography';
import { Crowd } from './crowd';
import { drawLabels, type Words } from './draw-labels';
import { linkFeatures, officerFeatures, resourceFeatures, type Letters, type Link } from './means';
import { Shapes } from './shapes';
import { readTheme, type Grade, type Theme } from './theme';

/** Zones and venues, as the map draws them. */
export type MapBase = { zones: MapZoneFragment[]; venues: { nodes: MapVenueFragment[] } };
/** What a click chose. */
export type Choice = { kind: 'enterprise' | 'venue' | 'zone'; id: string };
export type Cause = { id: string; longitude: number; latitude: number; text: string };
export type Warned = { zone: string; hue: Grade; text: string };
/** What the map shows after a move: metres of one CSS pixel, whether enterprises stand together as discs, box and zoom. */
export type Moved = { metresPerPixel: number; together: boolean; box: BoxInput; zoom: number };
type Hit = Choice | { kind: 'group'; id: string };
type Named = { name: (place: { name: string; nameEn?: string | null }) => string };

const MOVE = 600;
/** From so many map units (metres at the equator) a pixel of the design on, points of medium and low risk stand together. */
const NEAR = 50;
/** The radius of a venue's mark and the side of a cell for finding room, in pixels of the design. */
const VENUE = 9;
const CELL = 64;
const reduced = matchMedia('(prefers-reduced-motion: reduce)');

export class DistrictMap {
  readonly map: OlMap;
  /** Called when the map has moved. */
  onmoved: (moved: Moved) => void = () => {};
  /** Called with the number of enterprises that the marks on the map stand for. */
  ondrawn: (count: number) => void = () => {};

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

  #base: MapBase | null = null;
  #projected = new Map<string, Projected>();
  #resources: { resources: ResourcesQuery; letters: Letters } | null = null;
  /** What the marks with a number stand for; null where only the server knows. */
  #groups = new Map<string, Extent | null>();
  #clusters: Cluster[] = [];
  #crowd: Crowd;
  #warned: Warned[] = [];
  #causes: Cause[] = [];
  #links: Link[] = [];
  #chosenZone: string | null = null;
  #chosenVenue: string | null = null;
  #hidden = new Set<Grade>();
  #based = false;
  /** Whether a person has moved the map since it last went anywhere by itself. */
  #moved = false;
  #names: Named['name'] = ({ name }) => name;

  constructor(target: HTMLElement, choose: (choice: Choice) => void) {
    const layer = (source: VectorSource, zIndex: number): VectorLayer => new VectorLayer({ source, zIndex, updateWhileAnimating: true, updateWhileInteracting: true });
    const layers = [this.#zones, this.#rings, this.#means, this.#sites, this.#officers, this.#opened, this.#venues, this.#halos, this.#labels].map(
      (source, index) => layer(source as VectorSource, index),
    );
    this.map = new OlMap({
      target,
      controls: [],
      interactions: [new DragPan(), new MouseWheelZoom(), new PinchZoom(), new DoubleClickZoom(), new KeyboardPan(), new KeyboardZoom()],
      layers,
      view: new View({ center: fromLonLat([120.35, 30.1]), zoom: 10, minZoom: 8, maxZoom: 18, enableRotation: false }),
    });
    this.#crowd = new Crowd(this.map, layers[3]!);
    this.map.on('moveend', () => this.#settled());
    this.map.on('singleclick', ({ pixel }) => {
      const choice = this.#at(pixel);
      if (choice?.kind === 'group') this.#open(choice.id);
      else if (choice) choose(choice);
    });
    const moved = (): void => void (this.#moved = true);
    this.map.on('pointerdrag', moved);
    target.addEventListener('wheel', moved, { passive: true });
    this.map.on('pointermove', ({ pixel, dragging }) => {
      if (!dragging) target.style.cursor = this.#at(pixel, 'zone') ? 'pointer' : '';
    });
  }

  /** The panel has another size. What was shown is shown again, unless a person has moved the map. */
  resized(): void {
    this.map.updateSize();
    if (this.#base && !this.#moved) this.#show(0);
  }

  destroy(): void {
    this.map.setTarget(undefined);
    this.map.dispose();
  }

  /** Zones, rings and venues. Fits the map to the district the first time. */
  setBase(base: MapBase): void {
    const first = this.#base === null;
    this.#base = base;
    replace(this.#zones, base.zones.map(zoneFeature));
    this.#drawRings();
    replace(this.#venues, base.venues.nodes.flatMap((venue) => (venue.location ? [pointFeature(venue.id, venue.location)] : [])));
    this.restyle();
    if (first) this.#show(0);
  }

  /** Put a base map below everything else; the land of the zones lets it through. */
  async setBaseMap(base: BaseMap): Promise<void> {
    const { baseLayer } = await import('./base-map');
    this.map.addLayer(await baseLayer(base, this.#theme));
    this.#based = true;
    this.#styleZones();
  }

  /** Names in the page's language. */
  setNames(names: Named['name']): void {
    this.#names = names;
    this.#drawLabels();
  }

  setSites(sites: Iterable<Site>, clusters: Cluster[]): void {
    const before = this.#projected;
    this.#projected = new Map();
    let kept = 0;
    for (const site of sites) {
      const known = before.get(site.id);
      if (known?.site === site) kept++;
      this.#projected.set(site.id, known?.site === site ? known : { ...place(site), site });
    }
    // Officers move more often than enterprises change.
    if (kept === before.size && kept === this.#projected.size && clusters === this.#clusters) return;
    this.#clusters = clusters;
    this.#drawSites();
  }

  /** Risk grades that the legend hides. */
  setHidden(grades: Set<Grade>): void {
    this.#hidden = grades;
    this.#drawSites();
  }

  setResources(resources: ResourcesQuery, letters: Letters): void {
    this.#resources = { resources, letters };
    this.#drawSites();
  }

  /** Officers; positions of before `since` are old. */
  setOfficers(officers: Iterable<Officer>, since: number): void {
    replace(this.#officers, officerFeatures(officers, this.#shapes, since));
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
    this.#show();
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

  /** Go to what alarms are about, else to the chosen venue's rings, else to the chosen zone or the district. */
  #show(duration = MOVE): void {
    if (this.#causes.length > 0) return this.#go(boundingExtent(this.#causes.map(({ longitude, latitude }) => fromLonLat([longitude, latitude]))), 12.5, duration);
    const rings = this.#rings.getFeatures().filter((ring) => ring.get('venue') === this.#chosenVenue);
    const extent = createEmpty();
    for (const ring of rings) extend(extent, ring.getGeometry()!.getExtent());
    if (Number.isFinite(extent[0])) this.#go(extent, 15, duration);
    else this.fit(this.#chosenZone, duration);
  }

  /** What the panels list: lines from the venue to the means, and a ring around the enterprise whose file is open. */
  setOpened(links: Link[], enterprise: { longitude: number; latitude: number } | null): void {
    const features = linkFeatures(links, this.#shapes);
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
    this.#drawLabels();
  }

  #styleZones(): void {
    for (const feature of this.#zones.getFeatures()) {
      const warning = this.#warned.find(({ zone }) => zone === feature.getId());
      feature.setStyle(zoneStyles(this.#theme, this.#based, warning?.hue ? this.#theme.fill[warning.hue] : null));
    }
  }

  #styleVenues(): void {
    for (const venue of this.#venues.getFeatures()) venue.setStyle(this.#shapes.venue(venue.getId() === this.#chosenVenue, this.#isBeyond(venue.getId())));
  }

  /** Whether a venue lies outside the district's zones, which the wall is not about. */
  #isBeyond(id: string | number | undefined): boolean {
    return this.#base?.venues.nodes.find((venue) => venue.id === id)?.zone === null;
  }

  #drawRings(): void {
    const features = (this.#base?.venues.nodes ?? []).flatMap((venue) =>
      venue.rings.flatMap(({ grade, radiusMetres }) => {
        if ((grade === 'ALERT' || !venue.zone) && venue.id !== this.#chosenVenue) return [];
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

  /** Enterprises and resources. Together on the map of the district, where they need room; else each at its place. */
  #drawSites(): void {
    const pixel = this.#pixel;
    const shown = [...this.#projected.values()].filter(({ site }) => !this.#hidden.has(site.grade));
    const causes = new Set(this.#causes.map(({ id }) => id));
    const dim = causes.size > 0;
    const room = this.#together ? new Room(CELL * pixel) : null;
    for (const [x, y] of room ? this.#venues.getFeatures().map((venue) => venue.getGeometry()!.getCoordinates()) : []) room!.take({ x: x!, y: y!, radius: VENUE * pixel });
    const clusters = this.#clusters.map((cluster) => ({ ...place(cluster), group: true, kind: 'MANY', members: { length: cluster.count } }));
    this.#groups.clear();
    const wanted = new Map<string, Feature<Point>>();
    let drawn = 0;
    for (const mark of [...(room ? arrange(shown, pixel, room, causes) : shown.map(single)), ...clusters]) {
      const { x, y, kind, members } = mark;
      drawn += members.length;
      const alone = 'size' in mark && members.length === 1 ? mark.members[0]!.site : null;
      const key = alone?.id ?? `${kind} ${x} ${y} ${members.length}`;
      if (!alone) this.#groups.set(key, 'size' in mark ? boundingExtent(mark.members.map((member) => [member.x, member.y])) : null);
      const faint = dim && !(alone && causes.has(alone.id));
      const style = alone ? this.#shapes.point(alone.grade, faint) : kind === 'RED' || kind === 'ORANGE' ? this.#shapes.counted(kind, members.length, faint) : this.#shapes.disc(members.length, faint);
      wanted.set(key, this.#mark(key, x, y, style));
    }
    this.#sites.removeFeatures(this.#sites.getFeatures().filter((feature) => !wanted.has(String(feature.getId()))));
    this.#sites.addFeatures([...wanted.values()].filter((feature) => !this.#sites.hasFeature(feature)));
    this.#crowd.take(wanted.size);
    this.ondrawn(drawn);
    if (this.#resources) replace(this.#means, resourceFeatures(this.#resources.resources, this.#resources.letters, this.#shapes, pixel, room, dim));
  }

  /** The mark with this key: the one that is on the map, changed where it differs, else a new one. */
  #mark(key: string, x: number, y: number, style: Style): Feature<Point> {
    const existing = this.#sites.getFeatureById(key) as Feature<Point> | null;
    const feature = existing ?? new Feature(new Point([x, y]));
    const [oldX, oldY] = feature.getGeometry()!.getFirstCoordinate();
    if (!existing) feature.setId(key);
    else if (oldX !== x || oldY !== y) feature.getGeometry()!.setCoordinates([x, y]);
    if (feature.getStyle() !== style) feature.setStyle(style);
    return feature;
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
    const sites = [...this.#projected.values()];
    const venues = this.#venues.getFeatures().map((venue) => venue.getGeometry()!.getFirstCoordinate());
    const zones = this.#zones.getFeatures().flatMap((feature) => {
      const zone = this.#base!.zones.find(({ id }) => id === feature.getId());
      return zone ? [{ at: emptiest(feature, this.map.getView().calculateExtent(), this.#pixel, sites, venues), text: this.#names(zone) }] : [];
    });
    const towns = this.#together ? [] : this.#base.zones.flatMap((zone) => zone.towns).flatMap((town) => this.#named(town));
    replace(this.#labels, drawLabels(this.map, this.#theme, {
      causes: this.#causes.map((cause) => ({ at: fromLonLat([cause.longitude, cause.latitude]), text: cause.text })),
      zones,
      venues: this.#base.venues.nodes.filter(({ zone }) => zone).flatMap((venue) => this.#named(venue)),
      links: this.#links.map(({ to, text }) => ({ at: fromLonLat(to), text })),
      towns,
      beyond: this.#base.venues.nodes.filter(({ zone }) => !zone).flatMap((venue) => this.#named(venue)),
      marks: [...this.#sites.getFeatures(), ...this.#means.getFeatures()].map((feature) => feature.getGeometry()!.getFirstCoordinate()),
    }));
  }

  #named(place: { name: string; nameEn?: string | null; location: { longitude: number; latitude: number } | null }): Words[] {
    const { location } = place;
    // A remark in brackets is for lists.
    return location ? [{ at: fromLonLat([location.longitude, location.latitude]), text: this.#names(place).replace(/\s*[（(].*$/, '') }] : [];
  }

  /** Go nearer to what a mark with a number stands for. */
  #open(group: string): void {
    const extent = this.#groups.get(group) ?? this.#sites.getFeatureById(group)!.getGeometry()!.getExtent();
    this.#go(extent, (this.map.getView().getZoom() ?? 0) + 2.5);
    this.#moved = true;
  }

  #at(pixel: number[], except?: Choice['kind']): Hit | null {
    const tolerance = { hitTolerance: 6 };
    let choice: Hit | null = null;
    this.map.forEachFeatureAtPixel(pixel, (feature) => {
      const id = String(feature.getId() ?? '');
      if (this.#venues.getFeatureById(id)) choice = { kind: 'venue', id };
      else if (this.#groups.has(id)) choice = { kind: 'group', id };
      else if (this.#projected.has(id)) choice = { kind: 'enterprise', id };
      else if (except !== 'zone' && this.#zones.getFeatureById(id)) choice ??= { kind: 'zone', id };
      return choice !== null && (choice as Hit).kind !== 'zone';
    }, tolerance);
    return choice;
  }

  #go(extent: Extent, maxZoom: number, duration = MOVE): void {
    this.#moved = false;
    const pad = 48 * this.#theme.unit;
    // An animation that began before the panel changed would end in a view of the old size.
    this.map.getView().cancelAnimations();
    this.map.getView().fit(extent, { padding: [pad, pad, pad, pad], maxZoom, duration: reduced.matches ? 0 : duration });
  }
}
