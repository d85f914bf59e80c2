// Layers on arrays (rows, columns, channels), channels a multiple of 4, and what only moves values around.

import { gemm, gemmScratch, multiplyAdd } from "./gemm";

/** Positions whose hidden layers are held at once, so that they stay in the cache. */
const CHUNK: i32 = 96;

/** Bytes of scratch that `block` needs. */
export function blockScratch(channels: i32, hidden: i32): i32 {
  return (3 + CHUNK) * channels * 4 + CHUNK * hidden * 4 + gemmScratch(max(channels, hidden));
}

/**
 * x + project·act(expand·depthwise3×3(x)), act a leaky ReLU of 0.1. Its weights follow one another: depth-wise (9, C), bias (C),
 * expand (C, hidden) in panels, bias, project (hidden, C) in panels, bias. `out` is not `x`.
 */
export function block(
  x: usize, height: i32, width: i32, channels: i32, hidden: i32, weights: usize, out: usize, scratch: usize,
): void {
  const size = <usize>channels * 4;
  const spatialBias = weights + 9 * size;
  const expand = spatialBias + size;
  const expandBias = expand + <usize>hidden * size;
  const project = expandBias + <usize>hidden * 4;
  const projectBias = project + <usize>hidden * size;
  const seen = scratch;
  const inside = seen + <usize>CHUNK * size;
  const rest = inside + <usize>(CHUNK * hidden) * 4;
  const positions = height * width;
  for (let from = 0; from < positions; from += CHUNK) {
    const count = min(CHUNK, positions - from);
    depthwise(x, height, width, channels, weights, spatialBias, from, from + count, seen, rest);
    gemm(seen, count, channels, expand, hidden, expandBias, 0, 0.1, inside, rest);
    const at = <usize>from * size;
    gemm(inside, count, hidden, project, channels, projectBias, x + at, 1, out + at, rest);
  }
}

/** A depth-wise 3×3 convolution, zero outside, at the positions from…to; weights (9, C), bias (C); scratch of C floats. */
export function depthwise(
  x: usize, height: i32, width: i32, channels: i32, weights: usize, bias: usize, from: i32, to: i32, out: usize, scratch: usize,
): void {
  const size = <usize>channels * 4;
  const zeros = scratch;
  memory.fill(zeros, 0, size);
  for (let at = from; at < to; ++at, out += size) {
    const row = at / width, column = at % width;
    const above = row > 0, below = row < height - 1, left = column > 0, right = column < width - 1;
    const p4 = x + <usize>at * size;
    const p1 = above ? p4 - <usize>width * size : zeros, p7 = below ? p4 + <usize>width * size : zeros;
    const p3 = left ? p4 - size : zeros, p5 = right ? p4 + size : zeros;
    const p0 = above && left ? p1 - size : zeros, p2 = above && right ? p1 + size : zeros;
    const p6 = below && left ? p7 - size : zeros, p8 = below && right ? p7 + size : zeros;
    for (let i: usize = 0; i < size; i += 16) {
      const w = weights + i;
      let sum = v128.load(bias + i);
      sum = multiplyAdd(v128.load(p0 + i), v128.load(w), sum);
      sum = multiplyAdd(v128.load(p1 + i), v128.load(w + size), sum);
      sum = multiplyAdd(v128.load(p2 + i), v128.load(w + 2 * size), sum);
      sum = multiplyAdd(v128.load(p3 + i), v128.load(w + 3 * size), sum);
      sum = multiplyAdd(v128.load(p4 + i), v128.load(w + 4 * size), sum);
      sum = multiplyAdd(v128.load(p5 + i), v128.load(w + 5 * size), sum);
      sum = multiplyAdd(v128.load(p6 + i), v128.load(w + 6 * size), sum);
      sum = multiplyAdd(v128.load(p7 + i), v128.load(w + 7 * size), sum);
      sum = multiplyAdd(v128.load(p8 + i), v128.load(w + 8 * size), sum);
      v128.store(out + i, sum);
    }
  }
}

/** The neighbors of each position, row by row, from `top` rows above and `left` columns before on: (H', W', side·side·C). */
export function neighbors(
  x: usize, height: i32, width: i32, channels: i32, side: i32, top: i32, left: i32, fromRow: i32, toRow: i32, columns: i32, out: usize,
): void {
  const size = <usize>channels * 4;
  for (let row = fromRow; row < toRow; ++row) {
    for (let column = 0; column < columns; ++column) {
      for (let i = row - top; i < row - top + side; ++i) {
        for (let j = column - left; j < column - left + side; ++j, out += size) {
          if (i >= 0 && i < height && j >= 0 && j < width) memory.copy(out, x + <usize>(i * width + j) * size, size);
          else memory.fill(out, 0, size);
        }
      }
    }
  }
}

/** (H, W, 4·C), of which each quarter is a corner of a 2×2 square → (2·H, 2·W, C). */
export function shuffle(x: usize, height: i32, width: i32, channels: i32, out: usize): void {
  const size = <usize>channels * 4;
  for (let row = 0; row < height; ++row) {
    for (let column = 0; column < width; ++column) {
      for (let corner = 0; corner < 4; ++corner, x += size) {
        const at = (2 * row + (corner >> 1)) * 2 * width + 2 * column + (corner & 1);
        memory.copy(out + <usize>at * size, x, size);
      }
    }
  }
}

/** Every second row and column from (top, left) on, one after the other. */
export function phase(x: usize, height: i32, width: i32, channels: i32, top: i32, left: i32, out: usize): void {
  const size = <usize>channels * 4;
  for (let row = top; row < height; row += 2) {
    for (let column = left; column < width; column += 2, out += size) {
      memory.copy(out, x + <usize>(row * width + column) * size, size);
    }
  }
}
