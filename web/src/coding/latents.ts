// One tile's bytes to its latent: ẑ, then four steps of means, scale indexes and symbols.

import { Decoder } from "../entropy/decoder.js";
import type { Tables } from "../entropy/tables.js";
import { FormatError } from "../errors.js";
import type { HyperPath } from "../model/hyper_path.js";
import { type ScalePath, SYMBOL_MAX } from "../model/scale_path.js";
import { eachOf, STEPS, stepParts } from "../model/steps.js";
import type { Kernels, Pointer } from "../nets/kernels.js";
import type { Networks } from "../nets/networks.js";

const Z_MAX = 63;

/** What is exact on every machine, for tests; arrays (row, column, channel). */
export interface Symbols {
  zHat: Int32Array;
  indexes: Uint8Array;
  symbols: Int32Array;
}

/** The entropy path of one model at one level of the quality. */
export class LatentDecoder {
  constructor(
    private readonly kernels: Kernels,
    private readonly networks: Networks,
    private readonly hyper: HyperPath,
    private readonly scales: ScalePath,
    private readonly tables: Tables,
  ) {}

  /** y_hat (height, width, M) of a tile; throws FormatError. What else its bytes say goes into `symbols`, if there is one. */
  decode(data: Uint8Array, height: number, width: number, symbols?: Partial<Symbols>): Float32Array {
    const { kernels, scales } = this;
    return kernels.within(() => {
      const [h, w] = [Math.ceil(height / 4), Math.ceil(width / 4)];
      const size = height * width * scales.channels;
      const decoder = new Decoder(kernels, this.tables, data, Math.ceil(height / 2) * Math.ceil(width / 2) * scales.channels);
      const zHat = this.decodeHyper(decoder, h, w);
      const features = this.networks.hyper.run(zHat, h, w, height, width);
      const scaleFeatures = scales.features(zHat, h, w, height, width);
      const yHat = kernels.room(size);
      const sizes = kernels.room(size);
      kernels.floats(yHat, size).fill(0);
      kernels.floats(sizes, size).fill(0);
      if (symbols) {
        symbols.zHat = Int32Array.from(kernels.floats(zHat, h * w * this.hyper.channels));
        symbols.indexes = new Uint8Array(size);
        symbols.symbols = new Int32Array(size);
      }
      for (let step = 0; step < STEPS; ++step) {
        const means = this.means(step, yHat, features, height, width);
        const indexes = scales.indexes(step, scaleFeatures, sizes, height, width);
        const { symbols: found, shifted } = decoder.step(indexes);
        const [allMeans, allSizes] = [kernels.floats(yHat, size), kernels.floats(sizes, size)];
        let start = 0;
        for (const part of stepParts(step, height, width)) {
          start = eachOf(part, scales.channels, width, start, (inOrder, inArray) => {
            const k = found[inOrder] as number;
            const r = k - 0.5 * (shifted[inOrder] as number) * Math.sign(k);
            allMeans[inArray] = r + (means[inOrder] as number);
            allSizes[inArray] = Math.min(Math.abs(k), SYMBOL_MAX);
            if (symbols?.symbols) symbols.symbols[inArray] = k;
            if (symbols?.indexes) symbols.indexes[inArray] = indexes[inOrder] as number;
          });
        }
      }
      decoder.finish();
      return kernels.floats(yHat, size).slice();
    });
  }

  private decodeHyper(decoder: Decoder, h: number, w: number): Pointer {
    const { kernels, hyper } = this;
    const size = h * w * hyper.channels;
    const zHat = kernels.room(size);
    kernels.floats(zHat, size).fill(0);
    for (let step = 0; step < STEPS; ++step) {
      const { whole, table } = hyper.expected(step, zHat, h, w);
      const found = decoder.hyper(table);
      const values = kernels.floats(zHat, size);
      let start = 0;
      for (const part of stepParts(step, h, w)) {
        start = eachOf(part, hyper.channels, w, start, (inOrder, inArray) => {
          const value = (found[inOrder] as number) + (whole[inOrder] as number);
          if (Math.abs(value) > Z_MAX) throw new FormatError(`tile: an element of the hyper-latent is ${value}, limit ${Z_MAX}`);
          values[inArray] = value;
        });
      }
    }
    return zHat;
  }

  /** Means of a step's elements, in their order. */
  private means(step: number, yHat: Pointer, features: Pointer, height: number, width: number): Float32Array {
    const { kernels } = this;
    const context = this.networks.context[step] as Networks["context"][number];
    const { head } = context;
    const size = head.outputs / STEPS;
    const parts = stepParts(step, height, width);
    const means = new Float32Array(parts.reduce((sum, part) => sum + part.rows * part.columns * size, 0));
    kernels.within(() => {
      const h = context.run(yHat, features, height, width);
      let start = 0;
      for (const part of parts) {
        const positions = part.rows * part.columns;
        const seen = kernels.room(positions * head.inputs);
        kernels.call.phase(h, height, width, head.inputs, part.top, part.left, seen);
        const out = kernels.room(positions * size);
        head.apply(seen, positions, out, { from: part.group * size, to: (part.group + 1) * size });
        const values = kernels.floats(out, positions * size);
        for (let i = 0; i < values.length; ++i) {
          means[start + (i % size) * positions + Math.floor(i / size)] = values[i] as number;
        }
        start += positions * size;
      }
    });
    return means;
  }
}
