// What to expect of ẑ, from integers alone: docs/format.md, Scale indexes.

import type { Kernels, Pointer } from "../nets/kernels.js";
import { Around, Matrix } from "../nets/layers.js";
import { ACTIVATION_MAX, IntegerLayer } from "./integers.js";
import { integerRow } from "./quality.js";
import { eachOf, STEPS, stepParts } from "./steps.js";
import type { Weights } from "./weights.js";

const Z_MAX = 63;

/** Of the elements of a step, in their order: the mean, rounded, and which of the tables the distance from it has. */
export interface Expected {
  whole: Int32Array;
  table: Int32Array;
}

interface Later {
  look: IntegerLayer;
  around: Around;
  out: IntegerLayer;
  matrix: Matrix;
}

/** The integer network of ẑ at one level of the quality. */
export class HyperPath {
  /** channels of ẑ, nz */
  readonly channels: number;
  private readonly later: Later[];
  private readonly offsets: Int32Array[];

  constructor(
    private readonly kernels: Kernels,
    model: Weights,
    level: number,
  ) {
    const [, nodes = 0, columns = 0] = model.shape("hyper.offset");
    this.channels = columns / 2;
    const table = model.integers("hyper.offset");
    this.offsets = Array.from({ length: STEPS }, (_, step) => integerRow(table, level, columns, step * nodes * columns));
    this.later = Array.from({ length: STEPS - 1 }, (_, i) => {
      const look = new IntegerLayer(model, `hyper.look${i + 1}`, Z_MAX);
      const out = new IntegerLayer(model, `hyper.out${i + 1}`, ACTIVATION_MAX);
      const { weight, bias, inputs, outputs } = out;
      const around = new Around(kernels, look.weight, look.bias);
      const matrix = new Matrix(
        kernels,
        inputs,
        outputs,
        (input, o) => weight[o * inputs + input] as number,
        (o) => bias[o] as number,
      );
      return { look, around, out, matrix };
    });
  }

  /** ẑ (h, w, nz) holds what the steps before have found, zero elsewhere. */
  expected(step: number, zHat: Pointer, h: number, w: number): Expected {
    const { kernels, channels } = this;
    return kernels.within(() => {
      const results = this.results(step, zHat, h, w);
      const offset = this.offsets[step] as Int32Array;
      const parts = stepParts(step, h, w);
      const count = (parts.reduce((sum, part) => sum + part.rows * part.columns, 0) * channels) / STEPS;
      const found = { whole: new Int32Array(count), table: new Int32Array(count) };
      let start = 0;
      for (const part of parts) {
        start = eachOf(part, channels, w, start, (inOrder, inArray) => {
          const channel = inArray % channels;
          const at = 2 * inArray - channel; // (position, 2·nz): means, then scales
          const mean = (results?.[at] ?? 0) + (offset[channel] as number);
          const scale = (results?.[at + channels] ?? 0) + (offset[channels + channel] as number);
          const above = Math.min(Math.max(mean, -8 * Z_MAX), 8 * Z_MAX) + 4;
          found.whole[inOrder] = above >> 3;
          found.table[inOrder] = 8 * Math.min(Math.max((scale + 8) >> 4, 0), 23) + (above & 7);
        });
      }
      return found;
    });
  }

  /** (h, w, 2·nz), null at step 0, which sees nothing. */
  private results(step: number, zHat: Pointer, h: number, w: number): Float32Array | null {
    const later = this.later[step - 1];
    if (!later) return null;
    const { kernels } = this;
    const seen = kernels.room(h * w * later.look.outputs);
    later.around.apply(zHat, h, w, seen);
    later.look.shifted(kernels.floats(seen, h * w * later.look.outputs), 0, ACTIVATION_MAX);
    const out = kernels.room(h * w * later.out.outputs);
    later.matrix.apply(seen, h * w, out);
    const results = kernels.floats(out, h * w * later.out.outputs);
    later.out.shifted(results, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY);
    return results;
  }
}
