// Integer frequency tables, as bounds of 24 bits in the memory of the kernels: docs/format.md, Range coder.

import { ModelError } from "../errors.js";
import type { Weights } from "../model/weights.js";
import type { Kernels, Pointer } from "../nets/kernels.js";

/** One table: values −half…half, and an escape. */
export interface Table {
  bounds: Pointer;
  half: number;
}

const TOTAL = 65_536;
const RESIDUAL_TABLES = 115;
const HYPER_TABLES = 192;

/** Those of residuals, then those of ẑ. */
export class Tables {
  readonly residual: Table[];
  readonly hyper: Table[];

  /** Throws ModelError if a table breaks the rules. */
  constructor(kernels: Kernels, model: Weights) {
    this.residual = load(kernels, model, "tables.residual", RESIDUAL_TABLES);
    this.hyper = load(kernels, model, "tables.hyper", HYPER_TABLES);
  }
}

function load(kernels: Kernels, model: Weights, name: string, count: number): Table[] {
  const halves = model.integers(`${name}.half`);
  const frequencies = model.integers(name);
  if (halves.length !== count) throw new ModelError(`${name}: there are ${halves.length}, must be ${count}`);
  let at = 0;
  const tables = Array.from(halves, (half) => {
    const row = frequencies.subarray(at, at + 2 * half + 2);
    at += row.length;
    const bounds = boundsOf(row, name);
    const pointer = kernels.bytes(4 * bounds.length);
    kernels.integers(pointer, bounds.length).set(bounds);
    return { bounds: pointer, half };
  });
  if (at !== frequencies.length) throw new ModelError(`${name}: shapes do not fit`);
  return tables;
}

function boundsOf(row: Int32Array, name: string): Int32Array {
  const bounds = new Int32Array(row.length + 1);
  let below = 0;
  row.forEach((frequency, i) => {
    if (frequency < 1) throw new ModelError(`${name}: a frequency is ${frequency}, must be at least 1`);
    bounds[i] = i + Math.floor((below * (2 ** 24 - row.length)) / TOTAL);
    below += frequency;
  });
  if (below !== TOTAL) throw new ModelError(`${name}: a row sums to ${below}, must be ${TOTAL}`);
  bounds[row.length] = 2 ** 24;
  return bounds;
}
