// Matrix products of float32, the work of nearly all of a decoder. Integers are exact as long as all partial sums stay below 2^24.

/**
 * Rows and columns of a result that are summed at once. V8 loads all of a step before it multiplies, so with 8 registers of sums,
 * 2 of b and 4 of a this is what the 15 registers of x86 hold; 6×8 spills and is slower.
 */
const ROWS: i32 = 4;
const COLUMNS: i32 = 8;
/** Rows that are worked on before the next columns of b, so that these stay in the innermost cache. */
const BLOCK: i32 = 48;

/** Bytes of scratch that `gemm` needs for k columns of a. */
export function gemmScratch(k: i32): i32 {
  return BLOCK * k * 4;
}

/**
 * out = activation(a·b + bias + add). a (rows, k); b (k, n) in panels of 8 columns, (n/8, k, 8); n a multiple of 8; bias (n);
 * add (rows, n) or 0 for none, may be `out`; activation(v) = max(v, slope·v), so 1 is none.
 */
export function gemm(
  a: usize, rows: i32, k: i32, b: usize, n: i32, bias: usize, add: usize, slope: f32, out: usize, scratch: usize,
): void {
  const panel = <usize>(k * COLUMNS * 4);
  const tile = <usize>(k * ROWS * 4);
  for (let top = 0; top < rows; top += BLOCK) {
    const height = min(BLOCK, rows - top);
    pack(a + <usize>(top * k) * 4, height, k, scratch);
    for (let column = 0; column < n; column += COLUMNS) {
      const columns = b + <usize>(column / COLUMNS) * panel;
      for (let row = 0, from = scratch; row < height; row += ROWS, from += tile) {
        const at = <usize>((top + row) * n + column) * 4;
        product(from, columns, k, bias + <usize>column * 4, add ? add + at : 0, slope, out + at, <usize>n * 4, height - row);
      }
    }
  }
}

/** (height, k) → tiles of ROWS rows, each (k, ROWS), so that what is multiplied at once lies side by side; missing rows are zero. */
function pack(a: usize, height: i32, k: i32, out: usize): void {
  const stride = <usize>k * 4;
  for (let row = 0; row < height; row += ROWS) {
    for (let i = 0; i < ROWS; ++i) {
      let to = out + <usize>i * 4;
      if (row + i < height) {
        for (let from = a + <usize>i * stride, end = from + stride; from < end; from += 4, to += ROWS * 4) {
          store<f32>(to, load<f32>(from));
        }
      } else {
        for (let j = 0; j < k; ++j, to += ROWS * 4) store<f32>(to, 0);
      }
    }
    a += <usize>ROWS * stride;
    out += <usize>ROWS * stride;
  }
}

/** sum + a·b; in one rounding where the engine has that. */
// @ts-ignore: decorator
@inline
export function multiplyAdd(a: v128, b: v128, sum: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, sum);
  return f32x4.add(f32x4.mul(a, b), sum);
}

function product(
  a: usize, b: usize, k: i32, bias: usize, add: usize, slope: f32, out: usize, stride: usize, rows: i32,
): void {
  let s00 = v128.load(bias), s01 = v128.load(bias, 16);
  let s10 = s00, s11 = s01, s20 = s00, s21 = s01, s30 = s00, s31 = s01;
  for (const end = a + <usize>k * ROWS * 4; a < end; a += ROWS * 4, b += COLUMNS * 4) {
    const left = v128.load(b), right = v128.load(b, 16);
    let v = v128.load32_splat(a);
    s00 = multiplyAdd(v, left, s00);
    s01 = multiplyAdd(v, right, s01);
    v = v128.load32_splat(a, 4);
    s10 = multiplyAdd(v, left, s10);
    s11 = multiplyAdd(v, right, s11);
    v = v128.load32_splat(a, 8);
    s20 = multiplyAdd(v, left, s20);
    s21 = multiplyAdd(v, right, s21);
    v = v128.load32_splat(a, 12);
    s30 = multiplyAdd(v, left, s30);
    s31 = multiplyAdd(v, right, s31);
  }
  finish(s00, s01, add, slope, out);
  if (rows > 1) finish(s10, s11, add ? add + stride : 0, slope, out + stride);
  if (rows > 2) finish(s20, s21, add ? add + 2 * stride : 0, slope, out + 2 * stride);
  if (rows > 3) finish(s30, s31, add ? add + 3 * stride : 0, slope, out + 3 * stride);
}

// @ts-ignore: decorator
@inline
function finish(left: v128, right: v128, add: usize, slope: f32, out: usize): void {
  if (add) {
    left = f32x4.add(left, v128.load(add));
    right = f32x4.add(right, v128.load(add, 16));
  }
  if (slope != 1) {
    const slopes = f32x4.splat(slope);
    left = f32x4.pmax(left, f32x4.mul(left, slopes));
    right = f32x4.pmax(right, f32x4.mul(right, slopes));
  }
  v128.store(out, left);
  v128.store(out, right, 16);
}
