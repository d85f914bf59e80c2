// The latents of a whole image, decoded tile by tile when they are needed and dropped when they no longer are.

import { FormatError } from "../errors.js";
import type { Kernels, Pointer } from "../nets/kernels.js";
import { type Box, type Grid, intersection } from "./grid.js";
import type { LatentDecoder } from "./latents.js";

export class LatentRows {
  /** Tiles that could not be decoded and are taken as zero; only where this is tolerated. */
  readonly damaged: Box[] = [];
  private readonly held = new Map<string, { box: Box; yHat: Float32Array }>();

  constructor(
    private readonly kernels: Kernels,
    private readonly decoder: LatentDecoder,
    private readonly tiles: readonly (Uint8Array | null)[],
    private readonly grid: Grid,
    private readonly channels: number,
    private readonly tolerant: boolean,
  ) {}

  /** y_hat (height, width, M) of a box of latents, from as many tiles as it touches. Throws FormatError. */
  read(box: Box): Pointer {
    const { kernels, channels } = this;
    const [height, width] = [box[2] - box[0], box[3] - box[1]];
    const parts = [...this.grid.touching(box)].map(([row, column]) => this.tile(row, column));
    const out = kernels.room(height * width * channels);
    const all = kernels.floats(out, height * width * channels);
    for (const { box: tile, yHat } of parts) {
      const common = intersection(tile, box);
      const count = (common[3] - common[1]) * channels;
      for (let y = common[0]; y < common[2]; ++y) {
        const from = ((y - tile[0]) * (tile[3] - tile[1]) + common[1] - tile[1]) * channels;
        all.set(yHat.subarray(from, from + count), ((y - box[0]) * width + common[1] - box[1]) * channels);
      }
    }
    return out;
  }

  /** Drop what lies above a row of latents. */
  forgetAbove(row: number): void {
    for (const [key, { box }] of this.held) if (box[2] <= row) this.held.delete(key);
  }

  private tile(row: number, column: number): { box: Box; yHat: Float32Array } {
    const key = `${row},${column}`;
    const held = this.held.get(key);
    if (held) return held;
    const box = this.grid.box(row, column);
    const [height, width] = [box[2] - box[0], box[3] - box[1]];
    let yHat: Float32Array;
    try {
      const data = this.tiles[row * this.grid.columns + column];
      if (!data) throw new FormatError("its checksum does not match");
      yHat = this.decoder.decode(data, height, width);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      if (!this.tolerant) throw new FormatError(`tile ${column},${row}: ${error.message}`);
      this.damaged.push(box);
      yHat = new Float32Array(height * width * this.channels);
    }
    const found = { box, yHat };
    this.held.set(key, found);
    return found;
  }
}
