// Regions, orientation, progress, abortion, alpha and PNG: what a decoder does beside the files of the conformance suite.

import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateSync } from "node:zlib";
import type { Picture } from "../src/codec.js";
import { decodeAlpha } from "../src/coding/alpha.js";
import { inflate } from "../src/coding/inflate.js";
import { chunksOf, Type } from "../src/format/container.js";
import { crc32 } from "../src/format/crc32.js";
import { info, sizeOf } from "../src/format/information.js";
import { upright } from "../src/format/orientation.js";
import { toPng } from "../src/png.js";
import { Random } from "./mutations.js";
import { codec, difference, goldenFiles, readPng } from "./support.js";

const decoder = codec();
const golden = new Map(goldenFiles().map((file) => [file.name, file]));

function file(name: string): Uint8Array<ArrayBuffer> {
  return (golden.get(name) as { file: Uint8Array<ArrayBuffer> }).file;
}

/** The same file with a chunk after its header. */
function withChunk(data: Uint8Array, type: number, payload: Uint8Array): Uint8Array {
  const [header] = chunksOf(data);
  const at = (header?.start ?? 0) + (header?.length ?? 0) + 4;
  const chunk = [type, payload.length, ...payload];
  const sum = crc32(Uint8Array.from(chunk));
  return Uint8Array.from([...data.subarray(0, at), ...chunk, sum, sum >> 8, sum >> 16, sum >> 24, ...data.subarray(at)]);
}

function exifOf(orientation: number): Uint8Array {
  return Uint8Array.from([0x4d, 0x4d, 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0]);
}

function crop({ data, width }: Picture, [x, y, w, h]: [number, number, number, number]): Uint8Array {
  return Uint8Array.from({ length: 4 * w * h }, (_, i) => {
    const pixel = i >> 2;
    return data[4 * ((y + Math.floor(pixel / w)) * width + x + (pixel % w)) + (i & 3)] as number;
  });
}

test("a region is that part of the whole picture", async () => {
  for (const name of ["rgb_q40_tiles", "rgba_q60", "gray_q75"]) {
    const whole = await decoder.decode(file(name));
    for (const region of [
      [0, 0, 1, 1],
      [100, 90, 77, 51],
      [whole.width - 3, whole.height - 5, 3, 5],
    ] as [number, number, number, number][]) {
      const part = await decoder.decode(file(name), { region });
      assert.deepEqual([part.width, part.height], region.slice(2));
      assert.ok(difference(part.data, crop(whole, region)) <= 1, `${name} ${region}`);
    }
  }
});

test("a region that is not inside is refused", async () => {
  for (const region of [
    [0, 0, 0, 1],
    [-1, 0, 1, 1],
    [0, 0, 257, 1],
    [0.5, 0, 1, 1],
  ] as [number, number, number, number][]) {
    await assert.rejects(decoder.decode(file("rgb_q75"), { region }), { name: "UsageError" });
  }
});

test("the orientation of EXIF is applied to pixels, regions and sizes", async () => {
  const plain = await decoder.decode(file("rgb_q40_tiles"));
  for (let orientation = 1; orientation <= 8; ++orientation) {
    const turned = withChunk(file("rgb_q40_tiles"), Type.exif, exifOf(orientation));
    const picture = await decoder.decode(turned);
    const [width, height] = orientation < 5 ? [320, 240] : [240, 320];
    assert.deepEqual([picture.width, picture.height], [width, height]);
    assert.deepEqual([info(turned).width, info(turned).height, info(turned).orientation], [width, height, orientation]);
    assert.deepEqual(sizeOf(turned.subarray(0, 90)), { width, height });
    assert.deepEqual(picture.data, upright(plain.data.slice(), 320, 240, orientation));
    // what EXIF says of the first row and column: 6 is right-hand side and top
    if (orientation === 6) assert.deepEqual(picture.data.slice(4 * 239, 4 * 240), plain.data.slice(0, 4));
    if (orientation === 8) assert.deepEqual(picture.data.slice(-4 * 240, -4 * 239), plain.data.slice(0, 4));
    if (orientation === 3) assert.deepEqual(picture.data.slice(-4), plain.data.slice(0, 4));
    const region: [number, number, number, number] = [31, 57, 40, 20];
    const part = await decoder.decode(turned, { region });
    assert.ok(difference(part.data, crop(picture, region)) <= 1, `orientation ${orientation}`);
  }
});

test("metadata is passed on", async () => {
  const profile = Uint8Array.of(1, 2, 3);
  const picture = await decoder.decode(withChunk(file("one_pixel"), Type.icc, profile));
  assert.deepEqual(picture.icc, profile);
});

test("progress is told and a signal ends it", async () => {
  const seen: number[][] = [];
  await decoder.decode(file("rgb_q75"), { onProgress: (done, all) => seen.push([done, all]) });
  assert.deepEqual(seen, [[1, 1]]);
  await assert.rejects(decoder.decode(file("rgb_q75"), { signal: AbortSignal.abort() }), { name: "AbortError" });
});

test("another model is an error", async () => {
  const other = file("one_pixel").slice();
  const start = 7 + 8;
  other[start] = (other[start] as number) ^ 1;
  const sum = crc32(other.subarray(5, 23));
  new DataView(other.buffer).setUint32(23, sum, true);
  await assert.rejects(decoder.decode(other), { name: "ModelError" });
});

test("a damaged tile is gray and said", async () => {
  const damaged = file("rgb_q40_tiles").slice();
  const second = chunksOf(damaged).filter((chunk) => chunk.type === Type.tile)[1];
  damaged[second?.start ?? 0] = (damaged[second?.start ?? 0] as number) ^ 1;
  await assert.rejects(decoder.decode(damaged), { name: "FormatError" });
  const { data, notes } = await decoder.decode(damaged, { allowPartial: true });
  assert.deepEqual(notes, ["1 tiles are damaged, shown gray"]);
  assert.deepEqual([...data.slice(4 * 200, 4 * 200 + 4)], [128, 128, 128, 255]);
  assert.notDeepEqual([...data.slice(4 * 20, 4 * 20 + 4)], [128, 128, 128, 255]);
});

test("zlib streams of every kind inflate, and only whole ones of the right size", () => {
  const random = new Random(1);
  for (let seed = 0; seed < 200; ++seed) {
    const count = random.of([0, 1, 50, 3000, 70_000]);
    const values = random.of([1, 2, 30, 256]);
    const data = Uint8Array.from({ length: count }, () => random.below(values));
    const stream = new Uint8Array(deflateSync(data, { level: random.of([0, 1, 9]), strategy: random.below(5) }));
    assert.deepEqual(inflate(stream, count), data);
    assert.equal(inflate(stream, count + 1), null);
    assert.equal(count && inflate(stream, count - 1), count ? null : 0);
    assert.equal(inflate(Uint8Array.from([...stream, 0]), count), null);
    assert.equal(inflate(stream.subarray(0, -1), count), null);
  }
});

test("every filter of alpha is undone", () => {
  const random = new Random(2);
  const [width, height] = [7, 5];
  const plane = Uint8Array.from(random.bytes(width * height));
  const at = (x: number, y: number) => (x < 0 || y < 0 ? 0 : (plane[y * width + x] as number));
  for (let filter = 0; filter < 4; ++filter) {
    const stored = plane.map((value, i) => {
      const [x, y] = [i % width, Math.floor(i / width)];
      return value - ([0, at(x - 1, y), at(x, y - 1), at(x - 1, y) + at(x, y - 1) - at(x - 1, y - 1)][filter] as number);
    });
    assert.deepEqual(decodeAlpha(Uint8Array.from([filter, ...deflateSync(stored)]), width, height), plane);
  }
  assert.throws(() => decodeAlpha(Uint8Array.of(4), 1, 1), { name: "FormatError" });
});

test("pictures become PNGs of the same pixels", async () => {
  for (const name of ["rgb_q75", "rgba_q60", "gray_alpha_q50", "one_pixel"]) {
    const picture = await decoder.decode(file(name));
    assert.deepEqual(readPng(await toPng(picture)).data, new Uint8Array(picture.data));
  }
});
