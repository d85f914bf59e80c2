// The tile grid. Boxes are [top, left, bottom, right] in latents.

import type { Region } from "../format/orientation.js";

/** Pixels of a latent position. */
export const LATENT = 16;
/** Latents (96 pixels) beyond which the synthesis does not see: 88 pixels. */
const HALO = 6;

export type Box = readonly [top: number, left: number, bottom: number, right: number];

/** The tiles of an image of `width` × `height` pixels. */
export class Grid {
  readonly rows: number;
  readonly columns: number;
  readonly height: number;
  readonly width: number;
  private readonly side: number;

  constructor(width: number, height: number, tile: number) {
    this.rows = Math.ceil(height / tile);
    this.columns = Math.ceil(width / tile);
    this.height = Math.ceil(height / LATENT);
    this.width = Math.ceil(width / LATENT);
    this.side = tile / LATENT;
  }

  /** The latents of a tile. */
  box(row: number, column: number): Box {
    const { side } = this;
    return [row * side, column * side, Math.min((row + 1) * side, this.height), Math.min((column + 1) * side, this.width)];
  }

  /** A box and the latents around it, as far as the image goes. */
  withHalo([top, left, bottom, right]: Box): Box {
    const [below, after] = [Math.min(bottom + HALO, this.height), Math.min(right + HALO, this.width)];
    return [Math.max(top - HALO, 0), Math.max(left - HALO, 0), below, after];
  }

  /** [row, column] of every tile that has latents in a box, in raster order. */
  *touching([top, left, bottom, right]: Box): Generator<[number, number]> {
    for (let row = Math.floor(top / this.side); row < Math.ceil(bottom / this.side); ++row) {
      for (let column = Math.floor(left / this.side); column < Math.ceil(right / this.side); ++column) yield [row, column];
    }
  }
}

/** The latents that cover a region of pixels. */
export function latentsOf([x, y, width, height]: Region): Box {
  return [Math.floor(y / LATENT), Math.floor(x / LATENT), Math.ceil((y + height) / LATENT), Math.ceil((x + width) / LATENT)];
}

/** The common part of two boxes that overlap. */
export function intersection(a: Box, b: Box): Box {
  return [Math.max(a[0], b[0]), Math.max(a[1], b[1]), Math.min(a[2], b[2]), Math.min(a[3], b[3])];
}
