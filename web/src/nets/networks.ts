// The float networks of a model at one level of the quality: h_s, the context networks and g_s.

import { floatRow } from "../model/quality.js";
import { STEPS } from "../model/steps.js";
import type { Weights } from "../model/weights.js";
import type { Kernels, Pointer } from "./kernels.js";
import { Around, Block, Blocks, Doubling, Matrix, pointwise } from "./layers.js";

function gains(model: Weights, name: string, level: number): Float32Array {
  return floatRow(model.floats(name), level).map(Math.exp);
}

/** h_s: ẑ → features for the means. */
export class HyperSynthesis {
  readonly channels: number;
  private readonly first: Around;
  private readonly blocks: Block[];
  private readonly doublings: Doubling[];

  constructor(
    private readonly kernels: Kernels,
    model: Weights,
    level: number,
  ) {
    this.first = new Around(kernels, model.floats("h_s.0.weight"), model.floats("h_s.0.bias"));
    this.blocks = [1, 3, 5].map((i) => new Block(kernels, model, `h_s.${i}`, level));
    this.doublings = [2, 4].map((i) => new Doubling(kernels, model, `h_s.${i}`));
    this.channels = this.first.outputs;
  }

  /** ẑ (h, w, nz) → (height, width, nc), cut from (4·h, 4·w, nc). */
  run(zHat: Pointer, h: number, w: number, height: number, width: number): Pointer {
    const { kernels, channels } = this;
    const out = kernels.room(height * width * channels);
    kernels.within(() => {
      let x = kernels.room(h * w * channels);
      this.first.apply(zHat, h, w, x);
      let side = 1;
      this.blocks.forEach((block, i) => {
        const next = kernels.room(side * side * h * w * channels);
        block.apply(x, side * h, side * w, next);
        const doubling = this.doublings[i];
        x = doubling ? doubling.apply(next, side * h, side * w) : next;
        if (doubling) side *= 2;
      });
      for (let row = 0; row < height; ++row) {
        const from = x + 4 * row * side * w * channels;
        kernels.floats(out + 4 * row * width * channels, width * channels).set(kernels.floats(from, width * channels));
      }
    });
    return out;
  }
}

/** What the means of a step depend on: step 0 sees the features, later ones y_hat so far, too. */
export class Context {
  private readonly ofFeatures: Matrix | null = null;
  private readonly ofLatent: Matrix | null = null;
  private readonly blocks: Blocks | null = null;
  /** The last layer; a step uses a quarter of its outputs at each position. */
  readonly head: Matrix;

  constructor(
    private readonly kernels: Kernels,
    model: Weights,
    step: number,
    level: number,
  ) {
    const name = `context.${step}`;
    const { m } = model.config;
    if (step) {
      this.ofFeatures = pointwise(kernels, model, `${name}.stem`, { from: m });
      const inScale = gains(model, `${name}.log_gain_in`, level);
      this.ofLatent = pointwise(kernels, model, `${name}.stem`, { to: m, inScale, biased: false });
      this.blocks = new Blocks(kernels, model, `${name}.blocks`, 2, level);
    }
    this.head = pointwise(kernels, model, `${name}.head`, { outScale: gains(model, `${name}.head.log_gain`, level) });
  }

  /** (height, width, nc), what the head is applied to. */
  run(yHat: Pointer, features: Pointer, height: number, width: number): Pointer {
    const { ofFeatures, ofLatent, blocks } = this;
    if (!ofFeatures || !ofLatent || !blocks) return features;
    const h = this.kernels.room(height * width * ofFeatures.outputs);
    ofFeatures.apply(features, height * width, h);
    ofLatent.apply(yHat, height * width, h, { add: h });
    return blocks.apply(h, height, width);
  }
}

/** g_s: y_hat → three planes of samples, nominally 0…1. */
export class Synthesis {
  private readonly stem: Matrix;
  private readonly blocks2: Blocks;
  private readonly up: Doubling;
  private readonly blocks1: Blocks;
  private readonly head: Matrix;

  constructor(
    private readonly kernels: Kernels,
    model: Weights,
    level: number,
  ) {
    const { n1, blocks1, blocks2 } = model.config;
    this.stem = pointwise(kernels, model, "g_s.stem", { inScale: gains(model, "g_s.log_gain", level) });
    this.blocks2 = new Blocks(kernels, model, "g_s.blocks2", blocks2, level);
    this.up = new Doubling(kernels, model, "g_s.up");
    this.blocks1 = new Blocks(kernels, model, "g_s.blocks1", blocks1, level);
    const weight = model.floats("g_s.head.weight"); // (n1, 3, 16, 16)
    const bias = model.floats("g_s.head.bias");
    // the 16×16 transposed convolution of stride 8 as one of 2×2 that makes blocks of 8×8: corner (i, j) sees the half (1−i, 1−j)
    this.head = new Matrix(
      kernels,
      4 * n1,
      192,
      (input, output) => {
        const [corner, n] = [Math.floor(input / n1), input % n1];
        const [channel, u, v] = [output >> 6, (output >> 3) & 7, output & 7];
        const [y, x] = [8 * (1 - (corner >> 1)) + u, 8 * (1 - (corner & 1)) + v];
        return weight[((n * 3 + channel) * 16 + y) * 16 + x] as number;
      },
      (output) => (bias[output >> 6] as number) + 0.5,
    );
  }

  /** y_hat (height, width, M) → (3, 16·height, 16·width). */
  run(yHat: Pointer, height: number, width: number): Pointer {
    const { kernels } = this;
    const planes = kernels.room(3 * 256 * height * width);
    kernels.within(() => {
      const h = kernels.room(height * width * this.stem.outputs);
      this.stem.apply(yHat, height * width, h);
      const x = this.up.apply(this.blocks2.apply(h, height, width), height, width);
      this.blocksToPlanes(this.blocks1.apply(x, 2 * height, 2 * width), 2 * height, 2 * width, planes);
    });
    return planes;
  }

  private blocksToPlanes(x: Pointer, height: number, width: number, planes: Pointer): void {
    const { kernels, head } = this;
    const seen = kernels.room((width + 1) * head.inputs);
    const blocks = kernels.room((width + 1) * head.outputs);
    for (let row = 0; row <= height; ++row) {
      kernels.call.neighbors(x, height, width, head.inputs / 4, 2, 1, 1, row, row + 1, width + 1, seen);
      head.apply(seen, width + 1, blocks);
      kernels.call.blocksToPlanes(blocks, row, width + 1, planes, 8 * height, 8 * width);
    }
  }
}

/** All of them. */
export class Networks {
  readonly hyper: HyperSynthesis;
  readonly context: Context[];
  readonly synthesis: Synthesis;

  constructor(kernels: Kernels, model: Weights, level: number) {
    this.hyper = new HyperSynthesis(kernels, model, level);
    this.context = Array.from({ length: STEPS }, (_, step) => new Context(kernels, model, step, level));
    this.synthesis = new Synthesis(kernels, model, level);
  }
}
