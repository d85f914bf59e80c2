// Lossless alpha: docs/format.md, Alpha.

import { FormatError } from "../errors.js";
import { inflate } from "./inflate.js";

/** The plane (height, width); throws FormatError, and never inflates beyond it. */
export function decodeAlpha(payload: Uint8Array, width: number, height: number): Uint8Array {
  const filter = payload[0];
  if (filter === undefined || filter > 3) throw new FormatError(`alpha: filter is ${filter ?? "missing"}, allowed 0..3`);
  const plane = inflate(payload.subarray(1), width * height);
  if (!plane) throw new FormatError(`alpha: broken deflate data, or inflates to another size than ${width}x${height}`);
  if (filter & 2) {
    for (let i = width; i < plane.length; ++i) plane[i] = (plane[i] as number) + (plane[i - width] as number);
  }
  if (filter & 1) {
    for (let row = 0; row < plane.length; row += width) {
      for (let i = row + 1; i < row + width; ++i) plane[i] = (plane[i] as number) + (plane[i - 1] as number);
    }
  }
  return plane;
}
