// Hostile files from good ones, by seed: bytes damaged, or chunks whose checksums hold all the same.

import { chunksOf, Type } from "../src/format/container.js";
import { crc32 } from "../src/format/crc32.js";

/** Numbers that depend on the seed alone (mulberry32). */
export class Random {
  constructor(private state: number) {}

  /** 0 up to, without, `limit`. */
  below(limit: number): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let value = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return Math.floor((((value ^ (value >>> 14)) >>> 0) / 2 ** 32) * limit);
  }

  of<T>(values: readonly T[]): T {
    return values[this.below(values.length)] as T;
  }

  bytes(count: number): number[] {
    return Array.from({ length: count }, () => this.below(256));
  }
}

type Bytes = number[];
interface Part {
  type: number;
  payload: Bytes;
}

const EXTREMES = [0, 1, 2, 127, 128, 254, 255];
const SIDES = [0, 1, 15, 16, 17, 63, 64, 65, 129, 200, 256, 2 ** 12, 2 ** 16 - 1, 2 ** 16, 2 ** 31, 2 ** 32 - 1];

/** One hostile file. */
export function mutate(random: Random, files: readonly Uint8Array[]): Uint8Array {
  const data = Array.from(random.of(files));
  if (random.below(2)) {
    for (let i = random.of([1, 1, 2, 5]); i; --i) random.of(BYTE_MUTATIONS)(random, data);
    return Uint8Array.from(data);
  }
  const parts = parse(Uint8Array.from(data));
  random.of(PART_MUTATIONS)(random, parts, parse(random.of(files)));
  return Uint8Array.from([...data.slice(0, 5), ...parts.flatMap(serialized)]);
}

function parse(data: Uint8Array): Part[] {
  return chunksOf(data).map(({ type, start, length }) => ({ type, payload: Array.from(data.subarray(start, start + length)) }));
}

function varint(value: number): Bytes {
  const out = [];
  for (; value >= 128; value = Math.floor(value / 128)) out.push((value % 128) | 128);
  return [...out, value];
}

function serialized({ type, payload }: Part): Bytes {
  const body = [type, ...varint(payload.length), ...payload];
  const sum = crc32(Uint8Array.from(body));
  return [...body, sum & 255, (sum >> 8) & 255, (sum >> 16) & 255, sum >>> 24];
}

const BYTE_MUTATIONS: readonly ((random: Random, data: Bytes) => void)[] = [
  function flip(random, data) {
    if (data.length) data[random.below(data.length)] = (data[random.below(data.length)] as number) ^ (1 << random.below(8));
  },
  function overwrite(random, data) {
    data.fill(random.of(EXTREMES), random.below(data.length + 1), random.below(data.length + 1));
  },
  function cut(random, data) {
    data.length = random.below(data.length + 1);
  },
  function remove(random, data) {
    data.splice(random.below(data.length + 1), random.of([1, 2, 4, 16]));
  },
  function insert(random, data) {
    data.splice(random.below(data.length + 1), 0, ...random.bytes(random.of([1, 4, 40])));
  },
];

const PART_MUTATIONS: readonly ((random: Random, parts: Part[], others: Part[]) => void)[] = [
  garble,
  garble,
  garble,
  function randomTiles(random, parts) {
    for (const part of parts) if (part.type === Type.tile) part.payload = random.bytes(random.of([0, 1, 4, 50, 500]));
  },
  function otherCorrection(random, parts) {
    const first = parts.findIndex((part) => part.type === Type.tile);
    parts.splice(first, 0, {
      type: Type.correction,
      payload: [0x80 | random.below(16), ...random.bytes(random.of([1, 20, 60, 200]))],
    });
  },
  function lie(random, parts) {
    const header = parts[0] as Part;
    const fixed = header.payload.slice(-14);
    fixed[random.below(6)] = random.of(EXTREMES);
    header.payload = [...varint(random.of(SIDES)), ...varint(random.of(SIDES)), ...fixed];
  },
  function lieInFixed(random, parts) {
    const { payload } = parts[0] as Part;
    payload[payload.length - 14 + random.below(6)] = random.of(EXTREMES);
  },
  function drop(random, parts) {
    parts.splice(random.below(parts.length), 1);
  },
  function repeat(random, parts) {
    const part = random.of(parts);
    parts.splice(parts.indexOf(part), 0, part);
  },
  function retype(random, parts) {
    random.of(parts).type = random.of([...Object.values(Type), 0, 127, 131, 255]);
  },
  function borrow(random, parts, others) {
    const part = random.of(parts);
    part.payload = random.of([...others.filter(({ type }) => type === part.type), part]).payload;
  },
];

/** Damage inside a chunk, most often a tile: what the checksum would have caught. */
function garble(random: Random, parts: Part[]): void {
  const tiles = parts.filter((part) => part.type === Type.tile);
  const part = random.below(4) && tiles.length ? random.of(tiles) : random.of(parts);
  random.of(BYTE_MUTATIONS)(random, part.payload);
}
