// The range decoder: docs/format.md, Entropy layer. It needs 64 bits, which JavaScript's numbers do not have.

let low: u64 = 0;
let span: u64 = 0;
let point: u64 = 0;
let next: usize = 0;
let end: usize = 0;
let broken: bool = false;

/** Begin with the words from `data` up to `data + size`, a multiple of 4; what lies beyond is read as zeros. */
export function start(data: usize, size: usize): void {
  next = data;
  end = data + size;
  low = 0;
  span = u64.MAX_VALUE;
  point = <u64>word() << 32;
  point |= <u64>word();
  broken = false;
}

function word(): u32 {
  if (next >= end) return 0;
  const value = load<u32>(next);
  next += 4;
  return value;
}

/** Take what lies between two bounds. */
function take(unit: u64, from: u64, to: u64): void {
  low += unit * from;
  span = unit * (to - from);
  if (span < 1 << 32) {
    low <<= 32;
    span <<= 32;
    point = (point << 32) | <u64>word();
  }
}

function bit(): i32 {
  const unit = span >> 24;
  const at = (point - low) / unit;
  if (at >= 1 << 24) {
    broken = true;
    return 0;
  }
  const one = at >= 1 << 23;
  if (one) take(unit, 1 << 23, 1 << 24);
  else take(unit, 0, 1 << 23);
  return <i32>one;
}

/** An entry of a table of `entries` from its bounds (entries + 1). */
function entry(bounds: usize, entries: i32): i32 {
  const unit = span >> 24;
  const at = (point - low) / unit;
  if (at >= 1 << 24) {
    broken = true;
    return 0;
  }
  let least = 0, beyond = entries;
  while (beyond - least > 1) {
    const middle = (least + beyond) >> 1;
    if (<u64>load<u32>(bounds + (<usize>middle << 2)) <= at) least = middle;
    else beyond = middle;
  }
  bounds += <usize>least << 2;
  take(unit, <u64>load<u32>(bounds), <u64>load<u32>(bounds, 4));
  return least;
}

/** Largest |symbol|. */
const LIMIT: i32 = 32_767;

/** What a run of `count` symbols of one table is: i32 each. False where no encoder writes this. */
export function read(bounds: usize, half: i32, count: i32, out: usize): bool {
  const last = out + (<usize>count << 2);
  for (let at = out; at < last; at += 4) store<i32>(at, entry(bounds, 2 * half + 2) - half);
  for (let at = out; at < last; at += 4) {
    if (load<i32>(at) <= half) continue;
    let length = 4;
    while (bit()) if (++length > 16) return false;
    let code = 1;
    while (length--) code = (code << 1) | bit();
    const size = code - 16 + half + 1;
    if (size > LIMIT) return false;
    store<i32>(at, bit() ? -size : size);
  }
  return !broken;
}

/** Whether the data may end after the last symbol that was read. */
export function finished(): bool {
  return next >= end && point - low < ((<u64>1) << 33) - 1;
}
