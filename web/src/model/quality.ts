// The quality axis: quality in hundredths → level 0…8192 → a row between those of nine nodes.

import { ModelError } from "../errors.js";
import type { Weights } from "./weights.js";

const NODES = 9;
const LEVELS_PER_NODE = 1024;
export const MAX_LEVEL = (NODES - 1) * LEVELS_PER_NODE;

/** docs/format.md, Quality → level. */
export function levelOf(weights: Weights, quality: number): number {
  const levels = weights.integers("quality.levels");
  const whole = Math.floor(quality / 100);
  const hundredths = quality % 100;
  const [here, following] = [levels[whole] as number, levels[Math.min(whole + 1, 100)] as number];
  const level = Math.floor((here * (100 - hundredths) + following * hundredths + 50) / 100);
  if (!(level >= 0 && level <= MAX_LEVEL))
    throw new ModelError(`quality ${quality} maps to level ${level}, allowed 0..${MAX_LEVEL}`);
  return level;
}

/** λ at a level. */
export function lmbdaOf(level: number): number {
  return 0.0008 * 1000 ** (level / MAX_LEVEL);
}

/** A row of a table of nine rows of integers, which may begin at `from`: exact. */
export function integerRow(table: Int32Array, level: number, columns: number, from = 0): Int32Array {
  const node = Math.min(Math.floor(level / LEVELS_PER_NODE), NODES - 2);
  const part = level - node * LEVELS_PER_NODE;
  const first = from + node * columns;
  return Int32Array.from({ length: columns }, (_, i) => {
    const here = (table[first + i] as number) * (LEVELS_PER_NODE - part);
    return Math.floor((here + (table[first + columns + i] as number) * part + 512) / 1024);
  });
}

/** A row of a table of nine rows of floats. */
export function floatRow(table: Float32Array, level: number): Float32Array {
  const columns = table.length / NODES;
  const node = Math.min(Math.floor(level / LEVELS_PER_NODE), NODES - 2);
  const part = level / LEVELS_PER_NODE - node;
  const first = node * columns;
  return Float32Array.from({ length: columns }, (_, i) => {
    return (table[first + i] as number) * (1 - part) + (table[first + columns + i] as number) * part;
  });
}
