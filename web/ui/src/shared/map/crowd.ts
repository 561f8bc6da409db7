// Draws a layer of very many marks as one image, which the map moves as a whole while it is dragged. A few marks are drawn
// one by one in every frame, so that they keep their size while the map comes nearer.

import type Layer from 'ol/layer/Layer';
import type OlMap from 'ol/Map';
import type VectorLayer from 'ol/layer/Vector';

/** Up to so many marks a slow computer without a graphics card draws all in every frame. */
const FEW = 2_000;
/** The size of the image against the map, in width and in height: larger, so that no empty edge comes into view at once. */
const RATIO = 1.5;

export class Crowd {
  #map: OlMap;
  #each: VectorLayer;
  #image: Layer | null = null;
  #crowded = false;
  #loading = false;

  constructor(map: OlMap, each: VectorLayer) {
    this.#map = map;
    this.#each = each;
  }

  /** Choose how to draw for this number of marks. */
  take(marks: number): void {
    this.#crowded = marks > FEW;
    if (this.#crowded && !this.#image && !this.#loading) void this.#load();
    this.#show();
  }

  #show(): void {
    this.#each.setVisible(!this.#crowded || !this.#image);
    this.#image?.setVisible(this.#crowded);
  }

  async #load(): Promise<void> {
    this.#loading = true;
    try {
      const { default: VectorImageLayer } = await import('ol/layer/VectorImage');
      this.#image = new VectorImageLayer({ source: this.#each.getSource()!, zIndex: this.#each.getZIndex()!, imageRatio: RATIO });
      this.#map.addLayer(this.#image);
      this.#show();
    } catch {
      // The server is away. The next change tries again.
    }
    this.#loading = false;
  }
}
