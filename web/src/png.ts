// Pictures as PNG files, exactly: a canvas would premultiply alpha and lose the color profile.

import type { Picture } from "./codec.js";
import { crc32 } from "./format/crc32.js";

/** 8-bit RGBA, or RGB if it is opaque; with the color profile and XMP. EXIF stays out: its orientation is applied already. */
export async function toPng({ data, width, height, icc, xmp }: Picture): Promise<Uint8Array<ArrayBuffer>> {
  const opaque = data.every((value, i) => (i & 3) !== 3 || value === 255);
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([8, opaque ? 2 : 6], 8);
  const chunks = [Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10), chunk("IHDR", header)];
  if (icc) chunks.push(chunk("iCCP", joined([ascii("ICC profile\0\0"), await deflated(icc)])));
  if (xmp) chunks.push(chunk("iTXt", joined([ascii("XML:com.adobe.xmp\0\0\0\0\0"), xmp])));
  chunks.push(chunk("IDAT", await deflated(filtered(data, width, height, opaque ? 3 : 4))), chunk("IEND", new Uint8Array()));
  return joined(chunks);
}

/** Rows with the filter byte before them; each has the one of four filters whose residuals are smallest. */
function filtered(data: Uint8ClampedArray, width: number, height: number, channels: number): Uint8Array<ArrayBuffer> {
  const size = width * channels;
  const out = new Uint8Array(height * (size + 1));
  let above = new Uint8Array(size);
  let row = new Uint8Array(size);
  const trial = new Uint8Array(size);
  for (let y = 0; y < height; ++y) {
    for (let i = 0; i < size; ++i) row[i] = data[4 * (y * width + Math.floor(i / channels)) + (i % channels)] as number;
    let least = Number.POSITIVE_INFINITY;
    for (let filter = 1; filter <= 4; ++filter) {
      let sum = 0;
      for (let i = 0; i < size; ++i) {
        const guess = guessOf(filter, row[i - channels] ?? 0, above[i] as number, above[i - channels] ?? 0);
        trial[i] = (row[i] as number) - guess;
        sum += Math.min(trial[i] as number, 256 - (trial[i] as number));
      }
      if (sum >= least) continue;
      least = sum;
      out[y * (size + 1)] = filter;
      out.set(trial, y * (size + 1) + 1);
    }
    [above, row] = [row, above];
  }
  return out;
}

function guessOf(filter: number, left: number, up: number, both: number): number {
  if (filter === 1) return left;
  if (filter === 2) return up;
  if (filter === 3) return (left + up) >> 1;
  const [toLeft, toUp, toBoth] = [Math.abs(up - both), Math.abs(left - both), Math.abs(left + up - 2 * both)];
  if (toLeft <= toUp && toLeft <= toBoth) return left;
  return toUp <= toBoth ? up : both;
}

async function deflated(data: Uint8Array): Promise<Uint8Array> {
  const stream = new Blob([data as Uint8Array<ArrayBuffer>]).stream().pipeThrough(new CompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function chunk(type: string, payload: Uint8Array): Uint8Array {
  const body = joined([ascii(type), payload]);
  const out = new Uint8Array(body.length + 8);
  const view = new DataView(out.buffer);
  view.setUint32(0, payload.length);
  out.set(body, 4);
  view.setUint32(body.length + 4, crc32(body));
  return out;
}

function ascii(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function joined(parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
