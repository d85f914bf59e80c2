// Layers whose weights lie in the memory of the kernels. Activations are (rows, columns, channels), float32.

import { ModelError } from "../errors.js";
import { floatRow } from "../model/quality.js";
import type { Weights } from "../model/weights.js";
import type { Kernels, Pointer } from "./kernels.js";

const PANEL = 8;
/** Leaky ReLU needs a slope; this one changes nothing. */
const LINEAR = 1;

/** A matrix (inputs, outputs) in panels of eight columns, and a bias. */
export class Matrix {
  readonly inputs: number;
  readonly outputs: number;
  private readonly weight: Pointer;
  private readonly bias: Pointer;

  /** `weight(i, o)` is what input i adds to output o; outputs are a multiple of 8. */
  constructor(
    private readonly kernels: Kernels,
    inputs: number,
    outputs: number,
    weight: (input: number, output: number) => number,
    bias: (output: number) => number,
  ) {
    if (outputs % PANEL) throw new ModelError(`a layer has ${outputs} outputs, must be a multiple of ${PANEL}`);
    this.inputs = inputs;
    this.outputs = outputs;
    this.weight = kernels.room(inputs * outputs);
    this.bias = kernels.put(Array.from({ length: outputs }, (_, output) => bias(output)));
    fillPanels(kernels.floats(this.weight, inputs * outputs), inputs, outputs, weight);
  }

  /** (rows, inputs) → (rows, outputs), or some of the outputs, added to those of `add` if there is one. */
  apply(a: Pointer, rows: number, out: Pointer, { from = 0, to = this.outputs, add = 0 } = {}): void {
    const { call } = this.kernels;
    this.kernels.within(() => {
      const scratch = this.kernels.bytes(call.gemmScratch(this.inputs));
      const weight = this.weight + 4 * from * this.inputs;
      call.gemm(a, rows, this.inputs, weight, to - from, this.bias + 4 * from, add, LINEAR, out, scratch);
    });
  }
}

function fillPanels(
  panels: Float32Array,
  inputs: number,
  outputs: number,
  weight: (input: number, output: number) => number,
): void {
  let at = 0;
  for (let panel = 0; panel < outputs; panel += PANEL) {
    for (let input = 0; input < inputs; ++input) {
      for (let output = panel; output < panel + PANEL; ++output) panels[at++] = weight(input, output);
    }
  }
}

/** A residual block, x + W2·act(W1·dw3×3(x)), at one level of the quality. */
export class Block {
  readonly channels: number;
  private readonly hidden: number;
  private readonly weights: Pointer;

  constructor(
    private readonly kernels: Kernels,
    model: Weights,
    name: string,
    level: number,
  ) {
    const [hidden = 0, channels = 0] = model.shape(`${name}.expand.weight`);
    this.channels = channels;
    this.hidden = hidden;
    if (channels % PANEL || hidden % PANEL)
      throw new ModelError(`${name} has ${channels} channels, must be a multiple of ${PANEL}`);
    const size = 10 * channels + 2 * channels * hidden + hidden + channels;
    this.weights = kernels.room(size);
    this.fill(kernels.floats(this.weights, size), model, name, level);
  }

  /** `out` is not `x`. */
  apply(x: Pointer, height: number, width: number, out: Pointer): void {
    const { call } = this.kernels;
    this.kernels.within(() => {
      const scratch = this.kernels.bytes(call.blockScratch(this.channels, this.hidden));
      call.block(x, height, width, this.channels, this.hidden, this.weights, out, scratch);
    });
  }

  /** The parts in the order of the kernel; the quality's scale and shift are folded into the first matrix. */
  private fill(all: Float32Array, model: Weights, name: string, level: number): void {
    const { channels, hidden } = this;
    let at = 0;
    const next = (size: number) => all.subarray(at, (at += size));
    const spatial = model.floats(`${name}.spatial.weight`);
    const taps = next(9 * channels);
    for (let i = 0; i < taps.length; ++i) taps[(i % 9) * channels + Math.floor(i / 9)] = spatial[i] as number;
    next(channels).set(model.floats(`${name}.spatial.bias`));
    const scale = floatRow(model.floats(`${name}.scale`), level).map((value) => 1 + value);
    const shift = floatRow(model.floats(`${name}.shift`), level);
    const expand = model.floats(`${name}.expand.weight`);
    fillPanels(next(channels * hidden), channels, hidden, (i, o) => (scale[o] as number) * (expand[o * channels + i] as number));
    const bias = model.floats(`${name}.expand.bias`);
    next(hidden).set(bias.map((value, o) => (scale[o] as number) * value + (shift[o] as number)));
    const project = model.floats(`${name}.project.weight`);
    fillPanels(next(channels * hidden), hidden, channels, (i, o) => project[o * hidden + i] as number);
    next(channels).set(model.floats(`${name}.project.bias`));
  }
}

/** Blocks one after another. */
export class Blocks {
  private readonly blocks: Block[];

  constructor(
    private readonly kernels: Kernels,
    model: Weights,
    name: string,
    count: number,
    level: number,
  ) {
    this.blocks = Array.from({ length: count }, (_, i) => new Block(kernels, model, `${name}.${i}`, level));
  }

  /** x (height, width, C) → the result, which is in `x` or in a room of its size that stays allocated after it. */
  apply(x: Pointer, height: number, width: number): Pointer {
    const channels = this.blocks[0]?.channels ?? 0;
    let here = x;
    let there = this.kernels.room(height * width * channels);
    for (const block of this.blocks) {
      block.apply(here, height, width, there);
      [here, there] = [there, here];
    }
    return here;
  }
}

/** A 1×1 convolution (O, I, 1, 1), whose inputs and outputs may be scaled, and of whose inputs it may take a part. */
export function pointwise(
  kernels: Kernels,
  model: Weights,
  name: string,
  options: { inScale?: Float32Array; outScale?: Float32Array; from?: number; to?: number; biased?: boolean } = {},
): Matrix {
  const [outputs = 0, all = 0] = model.shape(`${name}.weight`);
  const { inScale, outScale, from = 0, to = all, biased = true } = options;
  const weight = model.floats(`${name}.weight`);
  const bias = model.floats(`${name}.bias`);
  const scaled = (value: number, i: number, o: number) => value * (inScale?.[i] ?? 1) * (outScale?.[o] ?? 1);
  return new Matrix(
    kernels,
    to - from,
    outputs,
    (i, o) => scaled(weight[o * all + from + i] as number, i, o),
    (o) => (biased ? (bias[o] as number) * (outScale?.[o] ?? 1) : 0),
  );
}

/** A transposed convolution (I, O, 2, 2) of stride 2: four 1×1 convolutions, then `shuffle`. */
export class Doubling {
  readonly outputs: number;
  private readonly matrix: Matrix;

  constructor(
    private readonly kernels: Kernels,
    model: Weights,
    name: string,
  ) {
    const [inputs = 0, outputs = 0] = model.shape(`${name}.weight`);
    const weight = model.floats(`${name}.weight`);
    const bias = model.floats(`${name}.bias`);
    this.outputs = outputs;
    this.matrix = new Matrix(
      kernels,
      inputs,
      4 * outputs,
      (i, o) => weight[(i * outputs + (o % outputs)) * 4 + Math.floor(o / outputs)] as number,
      (o) => bias[o % outputs] as number,
    );
  }

  /** (height, width, I) → (2·height, 2·width, O). */
  apply(x: Pointer, height: number, width: number): Pointer {
    const out = this.kernels.room(4 * height * width * this.outputs);
    this.kernels.within(() => {
      const corners = this.kernels.room(4 * height * width * this.outputs);
      this.matrix.apply(x, height * width, corners);
      this.kernels.call.shuffle(corners, height, width, this.outputs, out);
    });
    return out;
  }
}

/** A 3×3 convolution (O, I, 3, 3) or (O, 9·I), zero outside. */
export class Around {
  readonly outputs: number;
  private readonly inputs: number;
  private readonly matrix: Matrix;

  constructor(
    private readonly kernels: Kernels,
    weight: ArrayLike<number>,
    bias: ArrayLike<number>,
  ) {
    this.outputs = bias.length;
    this.inputs = weight.length / (9 * this.outputs);
    const columns = 9 * this.inputs;
    this.matrix = new Matrix(
      kernels,
      columns,
      this.outputs,
      (i, o) => weight[o * columns + (i % this.inputs) * 9 + Math.floor(i / this.inputs)] as number,
      (o) => bias[o] as number,
    );
  }

  apply(x: Pointer, height: number, width: number, out: Pointer): void {
    this.kernels.within(() => {
      const seen = this.kernels.room(height * width * 9 * this.inputs);
      this.kernels.call.neighbors(x, height, width, this.inputs, 3, 1, 1, 0, height, width, seen);
      this.matrix.apply(seen, height * width, out);
    });
  }
}
