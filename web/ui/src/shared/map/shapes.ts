// The marks of the map as images: a shape for each risk grade, discs with counts, letters in squares, arrows.

import Icon from 'ol/style/Icon';
import Style from 'ol/style/Style';

import type { Grade, Theme } from './theme';

/** Sizes of the marks of points in pixels of the design, by grade. Size says the same as shape and hue. */
export const SIZES = { RED: 22, ORANGE: 13, YELLOW: 9, BLUE: 6, NONE: 6 } as const;
const ORDER = { RED: 5, ORANGE: 4, YELLOW: 3, BLUE: 2, NONE: 1 } as const;

/** The side of a resource's square in pixels of the design. */
export const RESOURCE = 26;

type Draw = (context: CanvasRenderingContext2D, size: number) => void;

export class Shapes {
  #styles = new Map<string, Style>();

  constructor(readonly theme: Theme) {}

  point(grade: Grade, dim = false): Style {
    const name = grade ?? 'NONE';
    return this.#style(`point ${name} ${dim}`, SIZES[name] + 2, ORDER[name], (context, size) => {
      const fill = this.theme.fill[name];
      context.globalAlpha = dim ? 0.4 : 1;
      context.translate(1, 1);
      outline(context, name, size - 2);
      context.fillStyle = fill;
      context.strokeStyle = this.theme.edge[name];
      context.lineWidth = name === 'RED' ? 1.5 : 0.75;
      if (name === 'NONE') {
        context.strokeStyle = fill;
        context.stroke();
      } else {
        context.fill();
        context.stroke();
      }
    });
  }

  /** The shape of a grade with the number of enterprises that it stands for. */
  counted(name: 'RED' | 'ORANGE', count: number, dim = false): Style {
    const side = countedSize(name, count);
    return this.#style(`counted ${name} ${count} ${dim}`, side + 2, ORDER[name], (context, size) => {
      context.globalAlpha = dim ? 0.4 : 1;
      context.translate(1, 1);
      outline(context, name, size - 2);
      context.fillStyle = this.theme.fill[name];
      context.strokeStyle = this.theme.edge[name];
      context.lineWidth = name === 'RED' ? 1.5 : 0.75;
      context.fill();
      context.stroke();
      // The middle of a triangle's mass lies below that of its box.
      if (name === 'ORANGE') context.translate(0, side * 0.15);
      this.#letter(context, String(count), side, name === 'RED' ? 17 : 15, this.theme.onRisk, '600');
    });
  }

  /** A grey disc whose area grows with the number of enterprises. */
  disc(count: number, dim = false): Style {
    const diameter = discDiameter(count);
    return this.#style(`disc ${count} ${dim}`, diameter + 2, 0, (context, size) => {
      context.globalAlpha = dim ? 0.4 : 1;
      context.beginPath();
      context.arc(size / 2, size / 2, diameter / 2, 0, 2 * Math.PI);
      context.fillStyle = this.theme.raised;
      context.fill();
      context.strokeStyle = this.theme.control;
      context.stroke();
      this.#letter(context, String(count), size, 16, this.theme.quiet, '400');
    });
  }

  /** The letter of a resource in a square, filled when it is listed beside the map. */
  resource(letter: string, listed: boolean, dim = false, count = 1): Style {
    return this.#style(`resource ${letter} ${listed} ${dim} ${count}`, RESOURCE, 6, (context, size) => {
      context.globalAlpha = dim ? 0.4 : 1;
      context.beginPath();
      context.roundRect(1.5, 1.5, size - 3, size - 3, 2);
      context.fillStyle = listed ? this.theme.text : this.theme.panel;
      context.fill();
      context.strokeStyle = listed ? this.theme.text : this.theme.control;
      context.stroke();
      const colour = listed ? this.theme.panel : this.theme.quiet;
      if (count === 1) return this.#letter(context, letter, size, 16, colour, listed ? '600' : '400');
      this.#letter(context, letter, size - 10, 14, colour, '400', size);
      this.#letter(context, String(count), size + 14, 13, colour, '600', size);
    });
  }

  /** An arrow in the direction of movement, to the nearest 15 degrees; hollow when the position is old. */
  officer(heading: number, old: boolean): Style {
    const step = (Math.round(heading / (Math.PI / 12)) + 24) % 24;
    return this.#style(`officer ${step} ${old}`, 24, 7, (context, size) => {
      context.translate(size / 2, size / 2);
      context.rotate((step * Math.PI) / 12);
      context.beginPath();
      context.moveTo(0, -9);
      context.lineTo(6.5, 7);
      context.lineTo(0, 3.5);
      context.lineTo(-6.5, 7);
      context.closePath();
      context.lineJoin = 'round';
      if (old || this.theme.stale) {
        context.strokeStyle = this.theme.quiet;
        context.lineWidth = 1.5;
        context.stroke();
      } else {
        context.fillStyle = this.theme.text;
        context.fill();
      }
    });
  }

  /** A ring, thin for a venue beyond the district. */
  venue(chosen: boolean, beyond: boolean): Style {
    return this.#style(`venue ${chosen} ${beyond}`, 20, 8, (context, size) => {
      context.beginPath();
      context.arc(size / 2, size / 2, chosen ? 7 : 5.5, 0, 2 * Math.PI);
      context.fillStyle = this.theme.panel;
      context.fill();
      context.strokeStyle = beyond && !chosen ? this.theme.label : this.theme.text;
      context.lineWidth = beyond && !chosen ? 1.5 : 3;
      context.stroke();
    });
  }

  /** The ring around what an alarm or a panel is about. */
  halo(): Style {
    return this.#style('halo', 52, 9, (context, size) => {
      context.beginPath();
      context.arc(size / 2, size / 2, 24, 0, 2 * Math.PI);
      context.strokeStyle = this.theme.text;
      context.lineWidth = 3;
      context.stroke();
    });
  }

  #letter(context: CanvasRenderingContext2D, text: string, size: number, pixels: number, colour: string, weight: string, height = size): void {
    context.fillStyle = colour;
    context.font = `${weight} ${pixels}px ${this.theme.font}`;
    context.textAlign = 'center';
    context.textBaseline = 'middle';
    context.fillText(text, size / 2, height / 2 + pixels * 0.06);
  }

  /** The style with this image, drawn once. `size` is in pixels of the design. */
  #style(key: string, size: number, zIndex: number, draw: Draw): Style {
    let style = this.#styles.get(key);
    if (!style) {
      const ratio = this.theme.unit * devicePixelRatio;
      const canvas = document.createElement('canvas');
      canvas.width = canvas.height = Math.ceil(size * ratio);
      const context = canvas.getContext('2d')!;
      context.scale(ratio, ratio);
      draw(context, size);
      style = new Style({ image: new Icon({ img: canvas, scale: 1 / devicePixelRatio }), zIndex });
      this.#styles.set(key, style);
    }
    return style;
  }
}

/** Pixels of the design: the area grows with the count, from 28 for four to 52 for three hundred. */
export function discDiameter(count: number): number {
  return Math.min(52, 25 + Math.sqrt(count) * 1.5);
}

/** Pixels of the design of a shape with a number. */
export function countedSize(name: 'RED' | 'ORANGE', count: number): number {
  return (name === 'RED' ? 34 : 30) + (count > 99 ? 8 : 0);
}

function outline(context: CanvasRenderingContext2D, name: keyof typeof SIZES, size: number): void {
  context.beginPath();
  switch (name) {
    case 'RED':
      context.moveTo(size / 2, 0);
      context.lineTo(size, size / 2);
      context.lineTo(size / 2, size);
      context.lineTo(0, size / 2);
      break;
    case 'ORANGE':
      context.moveTo(size / 2, 0.5);
      context.lineTo(size, size - 0.5);
      context.lineTo(0, size - 0.5);
      break;
    case 'YELLOW':
      context.rect(0.5, 0.5, size - 1, size - 1);
      break;
    default:
      context.arc(size / 2, size / 2, size / 2, 0, 2 * Math.PI);
  }
  context.closePath();
}
