// From latents to pixels, window by window: each sees the latents around it, so no seam exists.

import type { Kernels, Pointer } from "../nets/kernels.js";
import type { Networks } from "../nets/networks.js";
import { type Correction, halfActivity } from "./correction.js";
import { type Box, type Grid, intersection, LATENT } from "./grid.js";
import type { LatentRows } from "./rows.js";

/** Side of a window in latents, at most: what bounds the memory. */
const WINDOW = 96;

/** Pixels that are wanted: RGBA, of a region of the picture. */
export interface Target {
  data: Uint8ClampedArray;
  x: number;
  y: number;
  width: number;
  height: number;
}

/** The windows that a box is worked on in, in rows. */
export function windowsOf([top, left, bottom, right]: Box): Box[][] {
  const edges = (from: number, to: number) => {
    const count = Math.ceil((to - from) / WINDOW);
    return Array.from({ length: count + 1 }, (_, i) => from + Math.floor(((to - from) * i) / count));
  };
  const [rows, columns] = [edges(top, bottom), edges(left, right)];
  const pairs = (list: number[]) => list.slice(1).map((end, i) => [list[i] as number, end] as const);
  return pairs(rows).map(([t, b]) => pairs(columns).map(([l, r]) => [t, l, b, r] as const));
}

export class Painter {
  constructor(
    private readonly kernels: Kernels,
    private readonly networks: Networks,
    private readonly grid: Grid,
    private readonly latents: LatentRows,
    private readonly channels: 1 | 3,
    private readonly lmbda: number,
    private readonly correction: Correction | null,
  ) {}

  /** The pixels of a window of latents, as far as they are wanted. Throws FormatError. */
  paint(window: Box, target: Target): void {
    const { kernels, grid } = this;
    kernels.within(() => {
      const around = grid.withHalo(window);
      const [height, width] = [around[2] - around[0], around[3] - around[1]];
      const planes = this.networks.synthesis.run(this.latents.read(around), height, width);
      const size = { height: LATENT * height, width: LATENT * width };
      if (this.channels === 1) kernels.call.meanOfPlanes(planes, size.height * size.width);
      const pixels: Box = [target.y, target.x, target.y + target.height, target.x + target.width];
      const wanted = intersection(pixels, window.map((edge) => LATENT * edge) as unknown as Box);
      this.copy(planes, size, wanted, LATENT * around[0], LATENT * around[1], target);
    });
  }

  /** Pixels `wanted` of planes that begin at the row `top` and the column `left` of the picture. */
  private copy(
    planes: Pointer,
    size: { height: number; width: number },
    wanted: Box,
    top: number,
    left: number,
    target: Target,
  ): void {
    const { kernels, channels, correction } = this;
    const columns = wanted[3] - wanted[1];
    const padded = (columns + 3) & ~3;
    const row = kernels.bytes(4 * padded);
    kernels.octets(row, 4 * padded).fill(255);
    const corrected = kernels.room(channels * padded);
    const scratch = kernels.bytes(kernels.call.correctionScratch(channels, columns));
    const weights = correction ? kernels.put(correction.weights) : 0;
    const pixels = kernels.octets(row, 4 * columns);
    for (let y = wanted[0]; y < wanted[2]; ++y) {
      const [inPlanes, from] = [y - top, wanted[1] - left];
      if (correction) {
        const half = halfActivity(this.lmbda);
        const { height, width } = size;
        kernels.call.correctRow(planes, channels, height, width, inPlanes, from, columns, weights, half, corrected, scratch);
      }
      for (let channel = 0; channel < 3; ++channel) {
        const shown = channel % channels;
        const plain = planes + 4 * ((shown * size.height + inPlanes) * size.width + from);
        kernels.call.toBytes(correction ? corrected + 4 * shown * padded : plain, columns, row + channel);
      }
      target.data.set(pixels, 4 * ((y - target.y) * target.width + wanted[1] - target.x));
    }
  }
}
