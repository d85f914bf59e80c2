// A file to pixels, with one model: containers, latents and synthesis put together.

import { decodeAlpha } from "./coding/alpha.js";
import { Correction } from "./coding/correction.js";
import { type Box, Grid, intersection, LATENT, latentsOf } from "./coding/grid.js";
import { LatentDecoder, type Symbols } from "./coding/latents.js";
import { LatentRows } from "./coding/rows.js";
import { Painter, windowsOf } from "./coding/synthesis.js";
import { Tables } from "./entropy/tables.js";
import { FormatError, ModelError, UsageError } from "./errors.js";
import { type Container, type Header, read } from "./format/container.js";
import { isSideways, orientationOf, type Region, storedRegion, upright } from "./format/orientation.js";
import { DEFAULT_LIMITS, type Limits } from "./limits.js";
import { HyperPath } from "./model/hyper_path.js";
import { levelOf, lmbdaOf } from "./model/quality.js";
import { ScalePath } from "./model/scale_path.js";
import type { Weights } from "./model/weights.js";
import { Kernels } from "./nets/kernels.js";
import { Networks } from "./nets/networks.js";

const CODER = 4;
const DAMAGED_GRAY = 128;

export interface DecodeOptions {
  /** x, y, width, height in pixels of the upright picture; the whole of it by default */
  region?: Region | undefined;
  /** show damaged tiles in gray, and go without a damaged correction, instead of refusing the file */
  allowPartial?: boolean | undefined;
  limits?: Limits | undefined;
  /** aborts between two windows of the picture */
  signal?: AbortSignal | undefined;
  /** called with (done, all) of the work */
  onProgress?: ((done: number, all: number) => void) | undefined;
}

/** What `decode` returns: upright pixels, RGBA, not premultiplied. */
export interface Picture {
  width: number;
  height: number;
  data: Uint8ClampedArray<ArrayBuffer>;
  /** the color profile that the pixels are meant in; sRGB where there is none */
  icc?: Uint8Array | undefined;
  /** from its TIFF header on; the orientation that it states is already applied */
  exif?: Uint8Array | undefined;
  xmp?: Uint8Array | undefined;
  /** what there is to say of a damaged file */
  notes: string[];
}

/** What depends on the quality, of the quality that was used last. */
interface AtLevel {
  level: number;
  networks: Networks;
  scales: ScalePath;
  latents: LatentDecoder;
}

/** Decodes files of one model. */
export class Codec {
  private readonly kernels = new Kernels();
  private readonly tables: Tables;
  private readonly mark: number;
  private current: AtLevel | null = null;

  /** `id` is what files must name as their model. Throws ModelError. */
  constructor(
    private readonly model: Weights,
    readonly id: string,
  ) {
    this.tables = new Tables(this.kernels, model);
    this.mark = this.kernels.mark;
  }

  /** Bytes that the networks and their work have taken so far. */
  get memory(): number {
    return this.kernels.call.memory.buffer.byteLength;
  }

  /** Throws FormatError, LimitError, ModelError, UsageError, and an AbortError when the signal says so. */
  async decode(data: Uint8Array, options: DecodeOptions = {}): Promise<Picture> {
    const { allowPartial = false, limits = DEFAULT_LIMITS, onProgress, signal } = options;
    const content = read(data, limits, allowPartial);
    const { header, metadata } = content;
    this.check(header);
    const orientation = orientationOf(metadata.exif);
    const region = regionInside(options.region, header, orientation);
    const [x, y, width, height] = region;
    const out = new Uint8ClampedArray(4 * width * height);
    const notes: string[] = [];
    const alpha = alphaOf(content, notes);
    const correction = correctionOf(content, allowPartial, notes);
    const rows = this.rows(content, allowPartial);
    const channels = header.mode.startsWith("L") ? 1 : 3;
    const { level, networks } = this.at(header.quality);
    const painter = new Painter(this.kernels, networks, rows.grid, rows.latents, channels, lmbdaOf(level), correction);
    const windows = windowsOf(latentsOf(region));
    const all = windows.length * (windows[0]?.length ?? 0);
    let done = 0;
    for (const row of windows) {
      rows.latents.forgetAbove(rows.grid.withHalo(row[0] as Box)[0]);
      for (const window of row) {
        signal?.throwIfAborted();
        painter.paint(window, { data: out, x, y, width, height });
        onProgress?.(++done, all);
        if (done < all) await breath();
      }
    }
    for (const tile of rows.latents.damaged) shadeGray(tile, region, out);
    if (alpha) addAlpha(alpha, header.width, region, out);
    if (rows.latents.damaged.length) notes.push(`${rows.latents.damaged.length} tiles are damaged, shown gray`);
    else if (content.damaged && !notes.length) notes.push("the file is damaged");
    const sideways = isSideways(orientation);
    const pixels = upright(out, width, height, orientation);
    return { width: sideways ? height : width, height: sideways ? width : height, data: pixels, ...metadata, notes };
  }

  /** What the tiles of a file say before any pixel is made: the part of a file that is exact on every machine. For tests. */
  symbols(data: Uint8Array): { symbols: Symbols; height: number; width: number }[] {
    const content = read(data);
    this.check(content.header);
    const { header } = content;
    const grid = new Grid(header.width, header.height, header.tile);
    const { latents } = this.at(header.quality);
    return content.tiles.map((tile, i) => {
      const box = grid.box(Math.floor(i / grid.columns), i % grid.columns);
      const [height, width] = [box[2] - box[0], box[3] - box[1]];
      const symbols: Partial<Symbols> = {};
      latents.decode(tile as Uint8Array, height, width, symbols);
      return { symbols: symbols as Symbols, height, width };
    });
  }

  private check(header: Header): void {
    if (header.model !== this.id) throw new ModelError(`the file was written with model ${header.model}, this is ${this.id}`);
    if (header.coder !== CODER) throw new FormatError(`header: coder is ${header.coder}, this decoder knows ${CODER}`);
  }

  private rows({ header, tiles }: Container, tolerant: boolean): { grid: Grid; latents: LatentRows } {
    const grid = new Grid(header.width, header.height, header.tile);
    const { latents, scales } = this.at(header.quality);
    return { grid, latents: new LatentRows(this.kernels, latents, tiles, grid, scales.channels, tolerant) };
  }

  private at(quality: number): AtLevel {
    const { kernels, model } = this;
    const level = levelOf(model, quality);
    if (this.current?.level !== level) {
      this.current = null;
      kernels.release(this.mark);
      const networks = new Networks(kernels, model, level);
      const scales = new ScalePath(kernels, model, level);
      const latents = new LatentDecoder(kernels, networks, new HyperPath(kernels, model, level), scales, this.tables);
      this.current = { level, networks, scales, latents };
    }
    return this.current;
  }
}

/** A region of the stored picture from one of the upright one; throws UsageError if it is not inside. */
function regionInside(region: Region | undefined, { width, height }: Header, orientation: number): Region {
  if (!region) return [0, 0, width, height];
  const [w, h] = isSideways(orientation) ? [height, width] : [width, height];
  const [x, y, columns, rows] = region;
  const whole = region.length === 4 && region.every(Number.isInteger);
  if (!whole || x < 0 || y < 0 || columns < 1 || rows < 1 || x + columns > w || y + rows > h) {
    throw new UsageError(`region ${region.join(",")} is not inside the image of ${w}x${h}`);
  }
  return storedRegion(region, orientation, width, height);
}

/** The alpha of the whole picture, null where there is none; throws FormatError. */
function alphaOf({ header, alpha }: Container, notes: string[]): Uint8Array | null {
  if (!header.mode.endsWith("A")) return null;
  if (alpha) return decodeAlpha(alpha, header.width, header.height);
  notes.push("alpha is damaged, shown opaque");
  return null;
}

/** Puts that of a region into RGBA pixels. */
function addAlpha(plane: Uint8Array, stride: number, [x, y, width, height]: Region, out: Uint8ClampedArray): void {
  for (let row = 0, at = 3; row < height; ++row) {
    const from = (y + row) * stride + x;
    for (let i = from; i < from + width; ++i, at += 4) out[at] = plane[i] as number;
  }
}

/** Makes what is seen of a box of latents gray. */
function shadeGray(box: Box, [x, y, width, height]: Region, out: Uint8ClampedArray): void {
  const [top, left, bottom, right] = intersection(
    [y, x, y + height, x + width],
    box.map((edge) => LATENT * edge) as unknown as Box,
  );
  for (let row = top; row < bottom; ++row) {
    for (let column = left; column < right; ++column) {
      const at = 4 * ((row - y) * width + column - x);
      out.fill(DAMAGED_GRAY, at, at + 3);
    }
  }
}

function correctionOf({ header, correction }: Container, allowPartial: boolean, notes: string[]): Correction | null {
  if (!correction) return null;
  try {
    return new Correction(correction, header.mode.startsWith("L") ? 1 : 3);
  } catch (error) {
    if (!allowPartial || !(error instanceof FormatError)) throw error;
    notes.push("the correction is damaged, colors and edges are not quite right");
    return null;
  }
}

/** Lets other events in: a message that aborts, a progress bar. */
function breath(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}
