// What a file says of itself, without the model that decodes it.

import { FormatError } from "../errors.js";
import { DEFAULT_LIMITS, type Limits } from "../limits.js";
import { type Chunk, chunksOf, type Mode, readHeader, Type, tileCount, VERSION, walk } from "./container.js";
import { isSideways, orientationOf } from "./orientation.js";

export interface Info {
  /** of the upright picture, in pixels */
  width: number;
  height: number;
  /** EXIF's: how the stored pixels are turned, 1…8 */
  orientation: number;
  mode: Mode;
  quality: number;
  effort: number;
  tile: number;
  tiles: number;
  /** id of the model that decodes the file, hexadecimal */
  model: string;
  coder: number;
  formatVersion: number;
  sizeBytes: number;
  /** bits of the whole file per pixel */
  bpp: number;
  chunks: Chunk[];
  /** whether every checksum holds and the end is there */
  intact: boolean;
}

/** Reads the header and the list of chunks; nothing is decoded. Throws FormatError or LimitError. */
export function info(data: Uint8Array, limits: Limits = DEFAULT_LIMITS): Info {
  const header = readHeader(data, limits);
  const chunks = chunksOf(data);
  const exif = chunks.find((chunk) => chunk.type === Type.exif && chunk.intact);
  const orientation = orientationOf(exif && data.subarray(exif.start, exif.start + exif.length));
  const { width, height, quality, ...rest } = header;
  return {
    ...rest,
    width: isSideways(orientation) ? height : width,
    height: isSideways(orientation) ? width : height,
    orientation,
    quality: quality / 100,
    tiles: tileCount(header),
    formatVersion: VERSION,
    sizeBytes: data.length,
    bpp: (8 * data.length) / (width * height),
    chunks,
    intact: chunks.every((chunk) => chunk.intact) && chunks.at(-1)?.type === Type.end,
  };
}

/** Size of the upright picture from the beginning of a file; null where that is not enough, or broken, to say it. */
export function sizeOf(start: Uint8Array): { width: number; height: number } | null {
  try {
    const { width, height } = readHeader(start);
    let orientation: number | null = null;
    let next = 5;
    try {
      for (const chunk of walk(start, false)) {
        next = chunk.start + chunk.length + 4;
        if (chunk.type === Type.exif) orientation = orientationOf(start.subarray(chunk.start, chunk.start + chunk.length));
      }
    } catch {
      // the beginning ends inside a chunk
    }
    if (start[next] === Type.correction || start[next] === Type.tile) orientation ??= 1;
    if (orientation === null) return null;
    return isSideways(orientation) ? { width: height, height: width } : { width, height };
  } catch (error) {
    if (error instanceof FormatError) return null;
    throw error;
  }
}
