// Which elements each of the four coding steps takes, and in which order: docs/format.md, Four steps.

export const STEPS = 4;
/** (row, column) within its 2×2 square of each phase. */
const PHASES = [
  [0, 0],
  [1, 1],
  [0, 1],
  [1, 0],
] as const;

/** A quarter of the channels at a quarter of the positions. */
export interface Part {
  /** the quarter of the channels, 0…3 */
  group: number;
  top: number;
  left: number;
  rows: number;
  columns: number;
}

/** The parts of a step of an array (channels, height, width), in order; empty ones are left out. */
export function stepParts(step: number, height: number, width: number): Part[] {
  return PHASES.map(([top, left], phase) => ({
    group: (step - phase + STEPS) % STEPS,
    top,
    left,
    rows: (height - top + 1) >> 1,
    columns: (width - left + 1) >> 1,
  })).filter((part) => part.rows && part.columns);
}

/**
 * Calls `visit` with (place in the step's order, place in an array (height, width, channels)) of each element of a part, of which
 * `before` elements of the step come first; returns how many these are with the part.
 */
export function eachOf(
  part: Part,
  channels: number,
  width: number,
  before: number,
  visit: (inOrder: number, inArray: number) => void,
): number {
  const size = channels / STEPS;
  let at = before;
  for (let channel = part.group * size; channel < (part.group + 1) * size; ++channel) {
    for (let row = 0; row < part.rows; ++row) {
      let place = ((part.top + 2 * row) * width + part.left) * channels + channel;
      for (let column = 0; column < part.columns; ++column, place += 2 * channels) visit(at++, place);
    }
  }
  return at;
}
