// From what the synthesis makes to what is shown: planes of float32, nominally 0…1.

import { multiplyAdd } from "./gemm";

/** Rows of blocks (columns, 3·8·8) → three planes, moved up and left by 4 pixels; what falls outside is left out. */
export function blocksToPlanes(blocks: usize, row: i32, columns: i32, planes: usize, height: i32, width: i32): void {
  for (let column = 0; column < columns; ++column) {
    const left = 8 * column - 4;
    const from = left < 0 ? 4 : 0, to = left + 8 > width ? 4 : 8;
    for (let channel = 0; channel < 3; ++channel) {
      for (let i = 0; i < 8; ++i, blocks += 32) {
        const y = 8 * row - 4 + i;
        if (y < 0 || y >= height) continue;
        const out = planes + <usize>((channel * height + y) * width + left + from) * 4;
        memory.copy(out, blocks + <usize>from * 4, <usize>(to - from) * 4);
      }
    }
  }
}

/** Three planes of `size` samples → their mean, in the first. */
export function meanOfPlanes(planes: usize, size: i32): void {
  const bytes = <usize>size * 4;
  for (let i: usize = 0; i < bytes; i += 4) {
    const sum = load<f32>(planes + i) + load<f32>(planes + i + bytes) + load<f32>(planes + i + 2 * bytes);
    store<f32>(planes + i, sum / 3);
  }
}

/** Samples → bytes at every fourth place, rounded and clamped. */
export function toBytes(samples: usize, count: i32, out: usize): void {
  for (const end = samples + <usize>count * 4; samples < end; samples += 4, out += 4) {
    const level = load<f32>(samples) * 255 + 0.5;
    store<u8>(out, <u8>(level > 0 ? (level < 255 ? <i32>level : 255) : 0));
  }
}

/** Bytes of scratch that `correctRow` needs. */
export function correctionScratch(channels: i32, columns: i32): i32 {
  return (5 * channels + 3) * lineOf(columns) * 4;
}

/** Floats of a row with two pixels on both sides, and room for what is computed four at a time. */
// @ts-ignore: decorator
@inline
function lineOf(columns: i32): i32 {
  return ((columns + 3) & ~3) + 8;
}

/**
 * One row of a picture, corrected: docs/format.md, Correction.
 *
 * planes (C, height, width); the row `y`, from `left` on `columns` samples, becomes `out` (C, columns rounded up to 4).
 * weights: for each channel s and pair of offsets, C weights w and C weights v.
 */
export function correctRow(
  planes: usize, channels: i32, height: i32, width: i32, y: i32, left: i32, columns: i32, weights: usize, half: f32, out: usize,
  scratch: usize,
): void {
  const line = <usize>lineOf(columns) * 4;
  const around = <usize>5 * line;
  for (let channel = 0; channel < channels; ++channel) {
    for (let i = 0; i < 5; ++i) {
      const row = min(max(y + i - 2, 0), height - 1);
      copyLine(planes + <usize>((channel * height + row) * width) * 4, width, left - 2, columns + 4, scratch + <usize>channel * around + <usize>i * line);
    }
  }
  const active = scratch + <usize>channels * around;
  activity(scratch, channels, columns, line, half, active);
  const size = <usize>((columns + 3) & ~3) * 4;
  for (let at: usize = 0; at < size; at += 16) {
    const here = scratch + at + 2 * line + 8;
    const a = v128.load(active + at);
    let w0 = f32x4.splat(0), w1 = w0, w2 = w0, v0 = w0, v1 = w0, v2 = w0;
    let weight = weights;
    for (let s = 0; s < channels; ++s) {
      const center = here + <usize>s * around;
      const middle = v128.load(center);
      for (let pair = 0; pair < 8; ++pair) {
        const offset = <usize>(rowOf(pair) * <isize>line + 4 * columnOf(pair));
        const mean = f32x4.mul(f32x4.add(v128.load(center + offset), v128.load(center - offset)), f32x4.splat(0.5));
        const d = f32x4.sub(mean, middle);
        if (channels == 1) {
          w0 = multiplyAdd(d, v128.load32_splat(weight), w0);
          v0 = multiplyAdd(d, v128.load32_splat(weight, 4), v0);
          weight += 8;
        } else {
          w0 = multiplyAdd(d, v128.load32_splat(weight), w0);
          w1 = multiplyAdd(d, v128.load32_splat(weight, 4), w1);
          w2 = multiplyAdd(d, v128.load32_splat(weight, 8), w2);
          v0 = multiplyAdd(d, v128.load32_splat(weight, 12), v0);
          v1 = multiplyAdd(d, v128.load32_splat(weight, 16), v1);
          v2 = multiplyAdd(d, v128.load32_splat(weight, 20), v2);
          weight += 24;
        }
      }
    }
    v128.store(out + at, f32x4.add(v128.load(here), multiplyAdd(a, v0, w0)));
    if (channels == 3) {
      v128.store(out + at + size, f32x4.add(v128.load(here + around), multiplyAdd(a, v1, w1)));
      v128.store(out + at + 2 * size, f32x4.add(v128.load(here + 2 * around), multiplyAdd(a, v2, w2)));
    }
  }
}

/** Rows of the first offset of each pair: (0,1), (1,−1), (1,0), (1,1), (0,2), (2,0), (2,2), (2,−2). */
// @ts-ignore: decorator
@inline
function rowOf(pair: i32): isize {
  return <isize>((0x22201110 >> (4 * pair)) & 3);
}

/** Columns of the first offset of each pair; stored two more, so that none is negative. */
// @ts-ignore: decorator
@inline
function columnOf(pair: i32): isize {
  return <isize>(((0x04243213 >> (4 * pair)) & 7) - 2);
}

/** Part of a row, its edges repeated where it ends. */
function copyLine(row: usize, width: i32, from: i32, count: i32, out: usize): void {
  for (let i = 0; i < count; ++i) store<f32>(out + <usize>i * 4, load<f32>(row + <usize>min(max(from + i, 0), width - 1) * 4));
}

/** How much goes on in the 5×5 pixels around each, 0…1, of five lines of each channel; four more lines follow `out` as scratch. */
function activity(lines: usize, channels: i32, columns: i32, line: usize, half: f32, out: usize): void {
  const sums = out + line, squares = sums + line;
  const share: f32 = channels == 3 ? 1.0 / 3.0 : 1;
  for (let at: usize = 0; at < line; at += 16) {
    let sum = f32x4.splat(0), square = sum;
    for (let i = 0; i < 5; ++i) {
      let value = f32x4.splat(0);
      for (let s = 0; s < channels; ++s) value = f32x4.add(value, v128.load(lines + <usize>(5 * s + i) * line + at));
      value = f32x4.sub(f32x4.mul(value, f32x4.splat(share)), f32x4.splat(0.5));
      sum = f32x4.add(sum, value);
      square = multiplyAdd(value, value, square);
    }
    v128.store(sums + at, sum);
    v128.store(squares + at, square);
  }
  for (let at: usize = 0, size = <usize>((columns + 3) & ~3) * 4; at < size; at += 16) {
    let sum = v128.load(sums + at), square = v128.load(squares + at);
    for (let j: usize = 4; j < 20; j += 4) {
      sum = f32x4.add(sum, v128.load(sums + at + j));
      square = f32x4.add(square, v128.load(squares + at + j));
    }
    const mean = f32x4.mul(sum, f32x4.splat(1.0 / 25.0));
    const variance = f32x4.max(f32x4.sub(f32x4.mul(square, f32x4.splat(1.0 / 25.0)), f32x4.mul(mean, mean)), f32x4.splat(0));
    v128.store(out + at, f32x4.div(variance, f32x4.add(variance, f32x4.splat(half))));
  }
}
