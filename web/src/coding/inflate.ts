// zlib streams (RFC 1950, 1951) of which the size is known: bounded, and strict about where they end.

/** Thrown for data that is not such a stream. */
class InflateError extends Error {}

const LENGTH_BASE = [
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
];
const LENGTH_EXTRA = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const DISTANCE_BASE = [
  1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289,
  16385, 24577,
];
const CODE_LENGTH_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/** Exactly `size` bytes from a stream that ends with `data`, or null if it is none. */
export function inflate(data: Uint8Array, size: number): Uint8Array | null {
  try {
    return new Inflater(data, size).run();
  } catch (error) {
    if (error instanceof InflateError) return null;
    throw error;
  }
}

/** Values by prefix: entry of the next `bits` bits is 16 · value + length of the code, 0 where there is none. */
interface Code {
  bits: number;
  table: Uint16Array;
}

class Inflater {
  private at = 2;
  private held = 0;
  private count = 0;
  private length = 0;
  private readonly out: Uint8Array;

  constructor(
    private readonly data: Uint8Array,
    size: number,
  ) {
    this.out = new Uint8Array(size);
  }

  run(): Uint8Array {
    const [method = 0, flags = 0] = this.data;
    if ((method & 15) !== 8 || method >> 4 > 7 || (256 * method + flags) % 31 || flags & 32) throw new InflateError();
    for (let last = 0; !last; ) {
      last = this.bits(1);
      const kind = this.bits(2);
      if (kind === 0) this.stored();
      else if (kind === 1) this.compressed(FIXED_LITERALS, FIXED_DISTANCES);
      else if (kind === 2) this.dynamic();
      else throw new InflateError();
    }
    if (this.length !== this.out.length) throw new InflateError();
    this.at -= this.count >> 3;
    const { data, at } = this;
    if (data.length !== at + 4) throw new InflateError();
    if (new DataView(data.buffer, data.byteOffset + at, 4).getUint32(0) !== adler32(this.out)) throw new InflateError();
    return this.out;
  }

  private need(count: number): void {
    while (this.count < count) {
      const byte = this.data[this.at++];
      if (byte === undefined) throw new InflateError();
      this.held |= byte << this.count;
      this.count += 8;
    }
  }

  private bits(count: number): number {
    this.need(count);
    const value = this.held & ((1 << count) - 1);
    this.held >>>= count;
    this.count -= count;
    return value;
  }

  private value({ bits, table }: Code): number {
    while (this.count < bits && this.at < this.data.length) {
      this.held |= (this.data[this.at++] as number) << this.count;
      this.count += 8;
    }
    const entry = table[this.held & ((1 << bits) - 1)] as number;
    const length = entry & 15;
    if (!length || length > this.count) throw new InflateError();
    this.held >>>= length;
    this.count -= length;
    return entry >> 4;
  }

  private stored(): void {
    this.at -= this.count >> 3;
    this.held = this.count = 0;
    const length = this.bits(16);
    if ((length ^ this.bits(16)) !== 0xffff) throw new InflateError();
    const part = this.data.subarray(this.at, this.at + length);
    if (part.length !== length || this.length + length > this.out.length) throw new InflateError();
    this.out.set(part, this.length);
    this.at += length;
    this.length += length;
  }

  private dynamic(): void {
    const [literals, distances, codes] = [this.bits(5) + 257, this.bits(5) + 1, this.bits(4) + 4];
    if (literals > 286 || distances > 30) throw new InflateError();
    const lengths = new Uint8Array(19);
    for (const place of CODE_LENGTH_ORDER.slice(0, codes)) lengths[place] = this.bits(3);
    const code = codeOf(lengths);
    const all = new Uint8Array(literals + distances);
    for (let i = 0; i < all.length; ) {
      const value = this.value(code);
      if (value < 16) {
        all[i++] = value;
        continue;
      }
      if (value === 16 && !i) throw new InflateError();
      const repeated = value === 16 ? (all[i - 1] as number) : 0;
      const times = value === 16 ? 3 + this.bits(2) : value === 17 ? 3 + this.bits(3) : 11 + this.bits(7);
      if (i + times > all.length) throw new InflateError();
      all.fill(repeated, i, (i += times));
    }
    if (!all[256]) throw new InflateError();
    this.compressed(codeOf(all.subarray(0, literals)), codeOf(all.subarray(literals)));
  }

  private compressed(literals: Code, distances: Code): void {
    const { out } = this;
    for (;;) {
      const value = this.value(literals);
      if (value === 256) return;
      if (value < 256) {
        if (this.length === out.length) throw new InflateError();
        out[this.length++] = value;
        continue;
      }
      const base = LENGTH_BASE[value - 257];
      if (base === undefined) throw new InflateError();
      const length = base + this.bits(LENGTH_EXTRA[value - 257] as number);
      const symbol = this.value(distances);
      const distanceBase = DISTANCE_BASE[symbol];
      if (distanceBase === undefined) throw new InflateError();
      const distance = distanceBase + this.bits(Math.max(0, (symbol >> 1) - 1));
      if (distance > this.length || this.length + length > out.length) throw new InflateError();
      for (let end = this.length + length; this.length < end; ++this.length) {
        out[this.length] = out[this.length - distance] as number;
      }
    }
  }
}

/** The canonical code of these lengths; throws InflateError if they are those of none. */
function codeOf(lengths: Uint8Array): Code {
  const counts = new Uint16Array(16);
  for (const length of lengths) counts[length] = (counts[length] as number) + 1;
  counts[0] = 0;
  const next = new Uint32Array(17);
  let left = 1;
  let bits = 0;
  for (let length = 1; length < 16; ++length) {
    left = 2 * left - (counts[length] as number);
    if (left < 0) throw new InflateError();
    if (counts[length]) bits = length;
    next[length + 1] = ((next[length] as number) + (counts[length] as number)) << 1;
  }
  const used = counts.reduce((sum, count) => sum + count, 0);
  if (left && !(used <= 1 && bits <= 1)) throw new InflateError(); // incomplete, but for a single code of one bit
  const table = new Uint16Array(1 << bits);
  lengths.forEach((length, value) => {
    if (!length) return;
    const code = next[length] as number;
    next[length] = code + 1;
    let reversed = 0;
    for (let i = 0; i < length; ++i) reversed |= ((code >> i) & 1) << (length - 1 - i);
    for (let entry = reversed; entry < table.length; entry += 1 << length) table[entry] = (value << 4) | length;
  });
  return { bits, table };
}

const FIXED_LITERALS = codeOf(Uint8Array.from({ length: 288 }, (_, i) => (i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8)));
const FIXED_DISTANCES = codeOf(new Uint8Array(32).fill(5));

function adler32(data: Uint8Array): number {
  let a = 1;
  let b = 0;
  for (let start = 0; start < data.length; start += 5552) {
    const end = Math.min(start + 5552, data.length);
    for (let i = start; i < end; ++i) {
      a += data[i] as number;
      b += a;
    }
    a %= 65_521;
    b %= 65_521;
  }
  return ((b << 16) | a) >>> 0;
}
