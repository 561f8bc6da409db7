// The base map under the district's own geography, loaded only where the server names one.

import type Layer from 'ol/layer/Layer';
import TileLayer from 'ol/layer/Tile';
import VectorTileLayer from 'ol/layer/VectorTile';
import { addEquivalentProjections, get, Projection } from 'ol/proj';
import XYZ from 'ol/source/XYZ';
import Fill from 'ol/style/Fill';
import Stroke from 'ol/style/Stroke';
import Style from 'ol/style/Style';
import { PMTilesRasterSource, PMTilesVectorSource } from 'ol-pmtiles';
import { PMTiles, TileType } from 'pmtiles';

import type { Theme } from './theme';

export type BaseMap = { kind: 'tiles'; address: string; projection: string } | { kind: 'pmtiles'; address: string };

/** Pictures are made for bright screens; the marks of the wall must stay the brightest. */
const PICTURES = 0.45;

export async function baseLayer(base: BaseMap, theme: Theme): Promise<Layer> {
  if (base.kind === 'tiles') {
    const source = new XYZ({ url: base.address, projection: known(base.projection), transition: 0 });
    return new TileLayer({ source, opacity: PICTURES, zIndex: -1 });
  }
  const { tileType } = await new PMTiles(base.address).getHeader();
  if (tileType !== TileType.Mvt) {
    return new TileLayer({ source: new PMTilesRasterSource({ url: base.address }), opacity: PICTURES, zIndex: -1 });
  }
  const style = [new Style({ fill: new Fill({ color: theme.water }), stroke: new Stroke({ color: theme.line, width: 0.75 * theme.unit }) })];
  const line = [new Style({ stroke: new Stroke({ color: theme.line, width: 0.75 * theme.unit }) })];
  return new VectorTileLayer({
    source: new PMTilesVectorSource({ url: base.address }),
    style: (feature) => (String(feature.get('layer')).includes('water') ? style : feature.getGeometry()?.getType().endsWith('LineString') ? line : []),
    zIndex: -1,
  });
}

/** CGCS2000 (EPSG:4490) differs from WGS 84 by centimetres, so its tiles are placed as those of WGS 84. */
function known(code: string): string {
  if (code === 'EPSG:4490' && !get(code)) {
    const same = get('EPSG:4326')!;
    addEquivalentProjections([same, new Projection({ code, units: 'degrees', extent: same.getExtent(), worldExtent: same.getWorldExtent(), axisOrientation: 'neu', global: true })]);
  }
  return code === 'EPSG:4490' ? 'EPSG:4326' : code;
}
