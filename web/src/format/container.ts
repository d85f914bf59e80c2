// The bytes of a .aec file: docs/format.md, Container.

import { FormatError, LimitError } from "../errors.js";
import { DEFAULT_LIMITS, type Limits } from "../limits.js";
import { crc32 } from "./crc32.js";

export const VERSION = 1;
const SIGNATURE = [0xae, 0x41, 0x45, 0x43];
const FIRST_OPTIONAL = 128;
const MAX_VARINT = 2 ** 32;
const TILE_UNIT = 64;

/** Chunk types by name. */
export const Type = { header: 1, tile: 2, alpha: 3, end: 4, correction: 5, icc: 128, exif: 129, xmp: 130 } as const;
/** In the order in which they come; a tile is the only one that may be there several times. */
const ORDER: readonly number[] = [Type.header, Type.icc, Type.exif, Type.xmp, Type.correction, Type.tile, Type.alpha, Type.end];
const NAMES = new Map<number, string>(Object.entries(Type).map(([name, type]) => [type, name]));

export const MODES = ["L", "LA", "RGB", "RGBA"] as const;
export type Mode = (typeof MODES)[number];

/** What the first chunk says. Sizes in pixels, quality in hundredths (0…10000), model in hexadecimal. */
export interface Header {
  width: number;
  height: number;
  mode: Mode;
  tile: number;
  quality: number;
  effort: number;
  coder: number;
  model: string;
}

/** Where one chunk lies, and whether its checksum holds. */
export interface Chunk {
  type: number;
  name: string;
  start: number;
  length: number;
  intact: boolean;
}

/** The content of a file. Where it is damaged and one asked to go on, tiles are null and the correction is empty. */
export interface Container {
  header: Header;
  tiles: (Uint8Array | null)[];
  alpha: Uint8Array | null;
  correction: Uint8Array | null;
  metadata: { icc?: Uint8Array; exif?: Uint8Array; xmp?: Uint8Array };
  damaged: boolean;
}

/** How many tiles an image has. */
export function tileCount(header: Header): number {
  return Math.ceil(header.width / header.tile) * Math.ceil(header.height / header.tile);
}

/** The header alone; the rest of the file is not looked at. Throws FormatError or LimitError. */
export function readHeader(data: Uint8Array, limits: Limits = DEFAULT_LIMITS): Header {
  const first = walk(data, true).next().value;
  if (!first || first.type !== Type.header) throw new FormatError("the first chunk is not the header");
  const header = parseHeader(payloadOf(data, first));
  checkLimits(header, limits);
  return header;
}

/** Every chunk of a file in order; throws FormatError where the layout is broken. */
export function chunksOf(data: Uint8Array): Chunk[] {
  return [...walk(data, false)];
}

/**
 * The whole file, every checksum and the order of chunks checked; throws FormatError or LimitError.
 *
 * With `allowPartial` damaged tiles become null, and a file that is cut keeps what came before; the header must be whole.
 */
export function read(data: Uint8Array, limits: Limits = DEFAULT_LIMITS, allowPartial = false): Container {
  const header = readHeader(data, limits);
  const order = new Order(header, limits);
  const found: Container = { header, tiles: [], alpha: null, correction: null, metadata: {}, damaged: false };
  let beforeDamage: number | null = null;
  try {
    for (const chunk of walk(data, !allowPartial)) {
      if (!chunk.intact && beforeDamage === null) {
        beforeDamage = found.tiles.length;
        found.damaged = true;
      }
      order.check(chunk);
      keep(found, chunk.type, chunk.intact ? payloadOf(data, chunk) : null);
    }
    order.finish();
  } catch (error) {
    if (!allowPartial || !(error instanceof FormatError) || error instanceof LimitError) throw error;
    found.damaged = true;
    // damage may have changed a type or a length: which tiles follow is unknown
    if (beforeDamage !== null) found.tiles.length = beforeDamage;
  }
  while (found.tiles.length < tileCount(header)) found.tiles.push(null);
  return found;
}

function keep(found: Container, type: number, payload: Uint8Array | null): void {
  switch (type) {
    case Type.tile:
      found.tiles.push(payload);
      break;
    case Type.alpha:
      found.alpha = payload;
      break;
    case Type.correction:
      found.correction = payload ?? new Uint8Array();
      break;
    case Type.icc:
    case Type.exif:
    case Type.xmp:
      if (payload) found.metadata[NAMES.get(type) as "icc" | "exif" | "xmp"] = payload;
  }
}

function payloadOf(data: Uint8Array, chunk: Chunk): Uint8Array {
  return data.subarray(chunk.start, chunk.start + chunk.length);
}

/** Chunks one by one up to the end of the data; with `check` a wrong checksum is an error. */
export function* walk(data: Uint8Array, check: boolean): Generator<Chunk, undefined> {
  if (SIGNATURE.some((byte, i) => data[i] !== byte)) {
    throw new FormatError(data.length ? "not an .aec file (wrong signature)" : "the file is empty");
  }
  if (data.length < 5) throw new FormatError("the file ends after its signature");
  if (data[4] !== VERSION) {
    throw new FormatError(`format version ${data[4]}, this decoder reads version ${VERSION}; a newer one may read it`);
  }
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  let at = 5;
  while (at < data.length) {
    const type = data[at] as number;
    const name = NAMES.get(type) ?? `chunk of type ${type}`;
    const [length, start] = readVarint(data, at + 1, `${name} at byte ${at}: length`);
    const end = start + length;
    if (end + 4 > data.length) {
      const left = Math.max(0, data.length - start - 4);
      throw new FormatError(`${name} at byte ${at}: length is ${length}, the file has ${left} left`);
    }
    const intact = crc32(data.subarray(at, end)) === view.getUint32(end, true);
    if (check && !intact) throw new FormatError(`${name} at byte ${at}: checksum does not match, the file is damaged`);
    yield { type, name: NAMES.get(type) ?? `unknown ${type}`, start, length, intact };
    at = end + 4;
    if (type === Type.end && at < data.length) throw new FormatError(`${data.length - at} bytes after the end chunk`);
  }
}

/** [value, position after it]. Shortest form only, below 2^32. */
function readVarint(data: Uint8Array, at: number, what: string): [number, number] {
  let value = 0;
  for (let shift = 0; shift < 35; shift += 7) {
    const byte = data[at++];
    if (byte === undefined) throw new FormatError(`${what}: the file ends inside it`);
    value += (byte & 127) * 2 ** shift;
    if (byte < 128) {
      if ((byte === 0 && shift) || value >= MAX_VARINT) break;
      return [value, at];
    }
  }
  throw new FormatError(`${what}: not a number in shortest form below ${MAX_VARINT}`);
}

function parseHeader(payload: Uint8Array): Header {
  const [width, afterWidth] = readVarint(payload, 0, "header: width");
  const [height, at] = readVarint(payload, afterWidth, "header: height");
  if (payload.length !== at + 14) throw new FormatError(`header: ${payload.length} bytes, must be ${at + 14}`);
  const view = new DataView(payload.buffer, payload.byteOffset + at, 14);
  const header = {
    width,
    height,
    tile: TILE_UNIT * view.getUint8(1),
    quality: view.getUint16(2, true),
    effort: view.getUint8(4),
    coder: view.getUint8(5),
    model: hexadecimal(payload.subarray(at + 6)),
  };
  const mode = MODES[inRange("mode", view.getUint8(0), 0, MODES.length - 1)] as Mode;
  inRange("width", width, 1, MAX_VARINT - 1);
  inRange("height", height, 1, MAX_VARINT - 1);
  inRange("tile", header.tile, TILE_UNIT, 32 * TILE_UNIT);
  inRange("quality", header.quality, 0, 10_000);
  inRange("effort", header.effort, 0, 9);
  return { ...header, mode };
}

function inRange(name: string, value: number, low: number, high: number): number {
  if (value < low || value > high) throw new FormatError(`header: ${name} is ${value}, allowed ${low}..${high}`);
  return value;
}

function hexadecimal(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function checkLimits(header: Header, limits: Limits): void {
  for (const name of ["width", "height"] as const) {
    if (header[name] > limits.side) throw new LimitError(`${name} is ${header[name]}, limit ${limits.side}`);
  }
  const pixels = header.width * header.height;
  if (pixels > limits.pixels) {
    throw new LimitError(`${header.width}x${header.height} is ${pixels} pixels, limit ${limits.pixels}`);
  }
}

/** The rule of which chunk may follow which, as a rank that must not fall. */
class Order {
  private last = -1;
  private tiles = 0;
  private metadata = 0;
  private alpha = false;

  constructor(
    private readonly header: Header,
    private readonly limits: Limits,
  ) {}

  check({ type, name, length }: Chunk): void {
    const rank = ORDER.indexOf(type);
    if (rank < 0) {
      if (type >= FIRST_OPTIONAL) return;
      throw new FormatError(`unknown required chunk of type ${type}; a newer decoder may read it`);
    }
    if (rank < this.last) throw new FormatError(`${name} chunk is out of order`);
    if (rank === this.last && type !== Type.tile) throw new FormatError(`${name} chunk is there twice`);
    this.last = rank;
    if (type === Type.tile && ++this.tiles > tileCount(this.header)) {
      throw new FormatError(`more tiles than the ${tileCount(this.header)} of the header`);
    }
    if (type === Type.alpha) this.alpha = true;
    if (type === Type.end && length) throw new FormatError(`end chunk has ${length} bytes, must have none`);
    if (type >= FIRST_OPTIONAL) {
      this.metadata += length;
      if (this.metadata > this.limits.metadataBytes) {
        throw new LimitError(`metadata has ${this.metadata} bytes, limit ${this.limits.metadataBytes}`);
      }
    }
  }

  finish(): void {
    if (ORDER[this.last] !== Type.end) throw new FormatError("the end chunk is missing, the file is cut");
    if (this.tiles !== tileCount(this.header)) {
      throw new FormatError(`${this.tiles} tiles, the header asks for ${tileCount(this.header)}`);
    }
    if (this.alpha !== this.header.mode.endsWith("A")) {
      throw new FormatError(`alpha chunk ${this.alpha ? "in" : "missing from"} a file of mode ${this.header.mode}`);
    }
  }
}
