// What several tests need: the repository's files, its model, and PNGs.

import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { inflateSync } from "node:zlib";
import { Codec } from "../src/codec.js";
import { Weights } from "../src/model/weights.js";

export const REPOSITORY = join(process.cwd(), "..");
const GOLDEN = join(REPOSITORY, "tests", "golden");

export function bytes(...path: string[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(readFileSync(join(...path)));
}

/** The model of the package: its whole file, of which a decoder needs a part. */
export function model(): { id: string; file: Uint8Array<ArrayBuffer> } {
  const file = bytes(REPOSITORY, "aecodec", "weights", "default.safetensors");
  return { id: createHash("sha256").update(file).digest("hex").slice(0, 16), file };
}

export function codec(): Codec {
  const { id, file } = model();
  return new Codec(new Weights(file), id);
}

export interface Golden {
  name: string;
  file: Uint8Array<ArrayBuffer>;
  png: Uint8Array;
  /** hash of what is exact on every machine */
  symbols: string;
}

/** The golden files of the model. */
export function goldenFiles(): Golden[] {
  const folder = join(GOLDEN, model().id);
  const hashes: Record<string, string> = JSON.parse(readFileSync(join(folder, "symbols.json"), "utf8"));
  return Object.entries(hashes).map(([name, symbols]) => {
    return { name, symbols, file: bytes(folder, `${name}.aec`), png: bytes(folder, `${name}.png`) };
  });
}

/** The files that break a rule each, by its name. */
export function corruptFiles(): { name: string; file: Uint8Array<ArrayBuffer> }[] {
  const folder = join(REPOSITORY, "tests", "corrupt");
  return readdirSync(folder).map((file) => ({ name: basename(file, ".aec"), file: bytes(folder, file) }));
}

/** A PNG of 8 bits as RGBA. */
export function readPng(file: Uint8Array): { width: number; height: number; data: Uint8Array } {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const [width, height, channels] = [view.getUint32(16), view.getUint32(20), { 0: 1, 2: 3, 4: 2, 6: 4 }[file[25] as number]];
  if (file[24] !== 8 || !channels || file[28]) throw new Error("a PNG that this test does not read");
  const parts: Uint8Array[] = [];
  for (let at = 8; at < file.length; at += view.getUint32(at) + 12) {
    const type = new TextDecoder().decode(file.subarray(at + 4, at + 8));
    if (type === "IDAT") parts.push(file.subarray(at + 8, at + 8 + view.getUint32(at)));
  }
  const raw = inflateSync(Buffer.concat(parts));
  const size = width * channels;
  const rows = new Uint8Array(height * size);
  for (let i = 0; i < rows.length; ++i) {
    const [y, x] = [Math.floor(i / size), i % size];
    const left = x >= channels ? (rows[i - channels] as number) : 0;
    const up = y ? (rows[i - size] as number) : 0;
    const both = y && x >= channels ? (rows[i - size - channels] as number) : 0;
    rows[i] = (raw[y * (size + 1) + 1 + x] as number) + guess(raw[y * (size + 1)] as number, left, up, both);
  }
  const data = new Uint8Array(4 * width * height).fill(255);
  for (let i = 0; i < width * height; ++i) {
    const at = i * channels;
    for (let c = 0; c < 3; ++c) data[4 * i + c] = rows[at + (channels < 3 ? 0 : c)] as number;
    if (channels % 2 === 0) data[4 * i + 3] = rows[at + channels - 1] as number;
  }
  return { width, height, data };
}

function guess(filter: number, left: number, up: number, both: number): number {
  const p = left + up - both;
  const nearest = [left, up, both].reduce((best, value) => (Math.abs(p - value) < Math.abs(p - best) ? value : best));
  return [0, left, up, (left + up) >> 1, nearest][filter] as number;
}

/** The largest difference between samples; of the sizes, if these differ. */
export function difference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let largest = 0;
  for (let i = 0; i < a.length; ++i) largest = Math.max(largest, Math.abs((a[i] as number) - (b[i] as number)));
  return largest;
}

/** Where a Chromium is; null where there is none, which is an error where one is required. */
export function chromium(): string | null {
  const places = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
  const found = places.find((place) => place && existsSync(place)) ?? null;
  if (!found && process.env.AECODEC_NEEDS_BROWSER) throw new Error("chromium is not installed, and is required here");
  return found;
}
