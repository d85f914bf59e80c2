// The filter that a file brings along for its own picture: docs/format.md, Correction.

import { FormatError } from "../errors.js";

const PAIRS = 8;
const LONGEST = 1024;
const MIN_PRECISION = 3;
const MAX_PRECISION = 12;
/** Variance at which a is one half, over that of the coding errors at this quality. */
const ACTIVITY = 0.15;

/** For each channel s of the picture and pair of offsets the weights w of all channels of the result, then their weights v. */
export class Correction {
  readonly weights: Float32Array;

  /** Throws FormatError. */
  constructor(
    payload: Uint8Array,
    readonly channels: number,
  ) {
    if (payload.length > LONGEST) throw new FormatError(`correction: ${payload.length} bytes, limit ${LONGEST}`);
    const bits = new Bits(payload);
    const precision = bits.number(4);
    if (precision < MIN_PRECISION || precision > MAX_PRECISION) {
      throw new FormatError(`correction: precision is ${precision}, allowed ${MIN_PRECISION}..${MAX_PRECISION}`);
    }
    this.weights = new Float32Array(2 * channels * channels * PAIRS);
    for (let group = 0; group < 2 * channels; ++group) {
      const k = bits.number(3);
      const place = (group >> 1) + (group & 1) * channels;
      for (let i = 0; i < channels * PAIRS; ++i) this.weights[2 * channels * i + place] = bits.rice(k) * 2 ** -precision;
    }
    bits.finish();
  }
}

/** The variance at which a is one half. */
export function halfActivity(lmbda: number): number {
  return ACTIVITY / (lmbda * 255 ** 2);
}

/** Bits, highest of each byte first. */
class Bits {
  private at = 0;

  constructor(private readonly payload: Uint8Array) {}

  private bit(): number {
    const byte = this.payload[this.at >> 3];
    if (byte === undefined) throw new FormatError("correction: the chunk ends inside it");
    return (byte >> (7 - (this.at++ & 7))) & 1;
  }

  number(length: number): number {
    let value = 0;
    for (let i = 0; i < length; ++i) value = 2 * value + this.bit();
    return value;
  }

  /** Rice code of order k of 0, −1, 1, −2, 2 … */
  rice(k: number): number {
    let high = 0;
    while (this.bit()) ++high;
    const n = high * 2 ** k + this.number(k);
    return n & 1 ? -(n + 1) / 2 : n / 2;
  }

  /** Nothing but zeros may be left, and less than a byte. */
  finish(): void {
    const rest = 8 * this.payload.length - this.at;
    if (rest > 7 || this.number(rest)) throw new FormatError("correction: bits are left over");
  }
}
