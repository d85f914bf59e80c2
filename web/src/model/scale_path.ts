// Scale indexes 0…63 of the latent's symbols, from integers alone: docs/format.md, Scale indexes.

import type { Kernels, Pointer } from "../nets/kernels.js";
import { Around, Matrix } from "../nets/layers.js";
import { ACTIVATION_MAX, IntegerLayer, rounded } from "./integers.js";
import { integerRow } from "./quality.js";
import { STEPS, stepParts } from "./steps.js";
import type { Weights } from "./weights.js";

const Z_MAX = 63;
/** The size of symbols is clamped to this before they enter the network. */
export const SYMBOL_MAX = 15;

/** Once 3×3 and 1×1, then shuffled. */
class Trunk {
  private readonly conv: IntegerLayer;
  private readonly expand: IntegerLayer;
  private readonly around: Around;
  private readonly matrix: Matrix;

  constructor(
    private readonly kernels: Kernels,
    model: Weights,
    first: number,
    inputMax: number,
  ) {
    this.conv = new IntegerLayer(model, `scales.trunk${first}`, inputMax);
    this.expand = new IntegerLayer(model, `scales.trunk${first + 1}`, ACTIVATION_MAX, true);
    this.around = new Around(kernels, this.conv.weight, this.conv.bias);
    this.matrix = matrixOf(kernels, this.expand);
  }

  /** (h, w, …) → (2·h, 2·w, outputs). */
  run(x: Pointer, h: number, w: number): Pointer {
    const { kernels } = this;
    const out = kernels.room(h * w * this.expand.outputs);
    kernels.within(() => {
      const seen = kernels.room(h * w * this.conv.outputs);
      this.around.apply(x, h, w, seen);
      this.conv.shifted(kernels.floats(seen, h * w * this.conv.outputs), 0, ACTIVATION_MAX);
      const corners = kernels.room(h * w * this.expand.outputs);
      this.matrix.apply(seen, h * w, corners);
      this.expand.shifted(kernels.floats(corners, h * w * this.expand.outputs), 0, ACTIVATION_MAX);
      kernels.call.shuffle(corners, h, w, this.outputs, out);
    });
    return out;
  }

  get outputs(): number {
    return this.expand.outputs / 4;
  }
}

function matrixOf(kernels: Kernels, layer: IntegerLayer, from = 0, to = layer.inputs): Matrix {
  const { weight, bias, inputs, outputs } = layer;
  return new Matrix(
    kernels,
    to - from,
    outputs,
    (i, o) => weight[o * inputs + from + i] as number,
    (o) => (from ? 0 : (bias[o] as number)),
  );
}

/** What a step after the first makes of the symbols so far. */
class Seen {
  private readonly reduce: IntegerLayer;
  private readonly spread: IntegerLayer;
  private readonly matrix: Matrix;
  private readonly taps: Pointer;
  private readonly bias: Pointer;

  constructor(
    private readonly kernels: Kernels,
    model: Weights,
    step: number,
  ) {
    this.reduce = new IntegerLayer(model, `scales.reduce${step}`, SYMBOL_MAX);
    this.spread = new IntegerLayer(model, `scales.spread${step}`, ACTIVATION_MAX);
    this.matrix = matrixOf(kernels, this.reduce);
    const { weight, outputs } = this.spread;
    this.taps = kernels.put(weight.map((_, i) => weight[(i % outputs) * 9 + Math.floor(i / outputs)] as number));
    this.bias = kernels.put(this.spread.bias);
  }

  get outputs(): number {
    return this.reduce.outputs;
  }

  /** min(|k|, 15) (height, width, M) → (height, width, outputs). */
  run(sizes: Pointer, height: number, width: number): Pointer {
    const { kernels, outputs } = this;
    const positions = height * width;
    const out = kernels.room(positions * outputs);
    kernels.within(() => {
      const reduced = kernels.room(positions * outputs);
      this.matrix.apply(sizes, positions, reduced);
      this.reduce.shifted(kernels.floats(reduced, positions * outputs), -ACTIVATION_MAX, ACTIVATION_MAX);
      const zeros = kernels.room(outputs);
      kernels.call.depthwise(reduced, height, width, outputs, this.taps, this.bias, 0, positions, out, zeros);
    });
    this.spread.shifted(kernels.floats(out, positions * outputs), 0, ACTIVATION_MAX);
    return out;
  }
}

/** The integer network of the scales at one level of the quality. */
export class ScalePath {
  /** latent channels, M */
  readonly channels: number;
  private readonly trunk: [Trunk, Trunk];
  private readonly seen: Seen[] = [];
  private readonly out: IntegerLayer[] = [];
  /** Of each step, the parts of `out` that see the symbols (null at step 0) and the features. */
  private readonly matrices: { ofSymbols: Matrix | null; ofFeatures: Matrix }[] = [];
  private readonly offset: Int32Array;

  constructor(
    private readonly kernels: Kernels,
    model: Weights,
    level: number,
  ) {
    this.channels = model.shape("scales.offset")[1] ?? 0;
    this.offset = integerRow(model.integers("scales.offset"), level, this.channels);
    this.trunk = [new Trunk(kernels, model, 0, Z_MAX), new Trunk(kernels, model, 2, ACTIVATION_MAX)];
    for (let step = 0; step < STEPS; ++step) {
      const out = new IntegerLayer(model, `scales.out${step}`, ACTIVATION_MAX);
      this.out.push(out);
      if (step) this.seen.push(new Seen(kernels, model, step));
      const first = step ? (this.seen[step - 1] as Seen).outputs : 0;
      const ofSymbols = step ? matrixOf(kernels, out, 0, first) : null;
      this.matrices.push({ ofSymbols, ofFeatures: matrixOf(kernels, out, first) });
    }
  }

  /** ẑ (h, w, nz) → features (height, width, C), cut from (4·h, 4·w, C). */
  features(zHat: Pointer, h: number, w: number, height: number, width: number): Pointer {
    const { kernels, trunk } = this;
    const channels = trunk[1].outputs;
    const out = kernels.room(height * width * channels);
    kernels.within(() => {
      const x = trunk[1].run(trunk[0].run(zHat, h, w), 2 * h, 2 * w);
      for (let row = 0; row < height; ++row) {
        const from = kernels.floats(x + 4 * row * 4 * w * channels, width * channels);
        kernels.floats(out + 4 * row * width * channels, width * channels).set(from);
      }
    });
    return out;
  }

  /** Scale indexes of a step's symbols, in their order; `sizes` are min(|k|, 15) of those before (height, width, M). */
  indexes(step: number, features: Pointer, sizes: Pointer, height: number, width: number): Uint8Array {
    const { kernels } = this;
    const size = this.channels / STEPS;
    const parts = stepParts(step, height, width);
    const indexes = new Uint8Array(parts.reduce((sum, part) => sum + part.rows * part.columns * size, 0));
    kernels.within(() => {
      const { ofSymbols, ofFeatures } = this.matrices[step] as (typeof this.matrices)[number];
      const symbols = ofSymbols ? (this.seen[step - 1] as Seen).run(sizes, height, width) : 0;
      let start = 0;
      for (const part of parts) {
        const positions = part.rows * part.columns;
        const range = { from: part.group * size, to: (part.group + 1) * size };
        const sums = kernels.room(positions * size);
        kernels.within(() => {
          const seen = kernels.room(positions * ofFeatures.inputs);
          kernels.call.phase(features, height, width, ofFeatures.inputs, part.top, part.left, seen);
          ofFeatures.apply(seen, positions, sums, range);
          if (ofSymbols) {
            const seenSymbols = kernels.room(positions * ofSymbols.inputs);
            kernels.call.phase(symbols, height, width, ofSymbols.inputs, part.top, part.left, seenSymbols);
            ofSymbols.apply(seenSymbols, positions, sums, { ...range, add: sums });
          }
        });
        this.toIndexes(step, kernels.floats(sums, positions * size), range.from, indexes.subarray(start));
        start += positions * size;
      }
    });
    return indexes;
  }

  /** Sums (positions, size), whose first output is `first` → indexes (size, positions). */
  private toIndexes(step: number, sums: Float32Array, first: number, out: Uint8Array): void {
    const { shift } = this.out[step] as IntegerLayer;
    const size = this.channels / STEPS;
    const positions = sums.length / size;
    for (let position = 0, at = 0; position < positions; ++position) {
      for (let channel = 0; channel < size; ++channel) {
        const sixteenths =
          rounded(sums[at++] as number, shift[first + channel] as number) + (this.offset[first + channel] as number);
        const index = (sixteenths + 8) >> 4;
        out[channel * positions + position] = Math.min(Math.max(index, 0), 63);
      }
    }
  }
}
