// Layers that compute in integers alone, for what must be the same everywhere: docs/format.md, Scale indexes.
//
// Sums are float32 matrix products of integers whose partial sums all stay below 2^24, which is checked: so they are exact.

import { ModelError } from "../errors.js";
import type { Weights } from "./weights.js";

export const ACTIVATION_MAX = 127;
const EXACT_BELOW = 2 ** 24;

/** A layer's tensors, (outputs, inputs), checked. */
export class IntegerLayer {
  readonly weight: Int32Array;
  readonly bias: Int32Array;
  readonly shift: Int32Array;
  readonly outputs: number;
  readonly inputs: number;

  /**
   * Throws ModelError if a sum could leave the range where float32 is exact. With `inCorners` outputs 4c + corner are brought
   * into the order of corners, as the kernel `shuffle` takes them.
   */
  constructor(model: Weights, name: string, inputMax: number, inCorners = false) {
    this.outputs = model.integers(`${name}.bias`).length;
    this.inputs = model.integers(`${name}.weight`).length / this.outputs;
    const quarter = this.outputs / 4;
    const stored = (o: number) => (inCorners ? (o % quarter) * 4 + Math.floor(o / quarter) : o);
    const rows = (part: string, columns: number) => {
      const all = model.integers(`${name}.${part}`);
      return all.map((_, i) => all[stored(Math.floor(i / columns)) * columns + (i % columns)] as number);
    };
    this.weight = rows("weight", this.inputs);
    this.bias = rows("bias", 1);
    this.shift = rows("shift", 1);
    for (let o = 0; o < this.outputs; ++o) {
      const row = this.weight.subarray(o * this.inputs, (o + 1) * this.inputs);
      const bound = row.reduce((sum, value) => sum + Math.abs(value), 0) * inputMax + Math.abs(this.bias[o] as number);
      if (bound >= EXACT_BELOW) throw new ModelError(`${name} sums up to ${bound}, limit ${EXACT_BELOW}`);
      const shift = this.shift[o] as number;
      if (!(shift >= 1 && shift <= 23)) throw new ModelError(`${name} shifts by ${shift}, allowed 1..23`);
    }
  }

  /** Sums (positions, outputs from `first` on) → results, shifted right with rounding and clamped, in place. */
  shifted(sums: Float32Array, low: number, high: number): void {
    const { shift, outputs } = this;
    for (let at = 0; at < sums.length; at += outputs) {
      for (let o = 0; o < outputs; ++o) {
        const value = rounded(sums[at + o] as number, shift[o] as number);
        sums[at + o] = Math.min(Math.max(value, low), high);
      }
    }
  }
}

/** sum / 2^shift, rounded half up. */
export function rounded(sum: number, shift: number): number {
  return ((sum | 0) + (1 << (shift - 1))) >> shift;
}
