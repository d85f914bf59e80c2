// A model file (safetensors): tensors in float16, int8 with a step for each row, and integers. docs/format.md names them.

import { ModelError } from "../errors.js";

/** Sizes of the networks. */
export interface Config {
  n1: number;
  n2: number;
  m: number;
  nz: number;
  nc: number;
  blocks1: number;
  blocks2: number;
}

interface Tensor {
  dtype: string;
  shape: number[];
  data_offsets: [number, number];
}

const BYTES: Record<string, number> = { F32: 4, F16: 2, I32: 4, U16: 2, I8: 1, U8: 1 };
const STEP = ".step";

export class Weights {
  readonly config: Config;
  /** id of the model, where the file states it */
  readonly model: string | undefined;
  private readonly tensors: Map<string, Tensor>;
  private readonly body: Uint8Array;

  /** Throws ModelError if it is not a model file. */
  constructor(file: Uint8Array) {
    try {
      const size = Number(new DataView(file.buffer, file.byteOffset, 8).getBigUint64(0, true));
      const header = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + size)));
      const { __metadata__: metadata, ...tensors } = header;
      this.config = JSON.parse(metadata.config);
      this.model = metadata.model;
      this.tensors = new Map(Object.entries(tensors as Record<string, Tensor>));
      this.body = new Uint8Array(file.buffer, file.byteOffset + 8 + size, file.length - 8 - size); // a Buffer's slice would not copy
    } catch {
      throw new ModelError("not a model file of aecodec");
    }
  }

  has(name: string): boolean {
    return this.tensors.has(name);
  }

  shape(name: string): number[] {
    return this.tensor(name).shape;
  }

  /** A tensor of a float network, its steps multiplied in. */
  floats(name: string): Float32Array {
    const raw = this.raw(name);
    if (raw instanceof Float32Array) return raw;
    const out = new Float32Array(raw.length);
    if (raw instanceof Uint16Array) {
      for (let i = 0; i < raw.length; ++i) out[i] = HALF[raw[i] as number] as number;
      return out;
    }
    const steps = this.floats(name + STEP);
    const columns = raw.length / steps.length;
    for (let i = 0; i < raw.length; ++i) out[i] = (raw[i] as number) * (steps[Math.floor(i / columns)] as number);
    return out;
  }

  /** A tensor of integers. */
  integers(name: string): Int32Array {
    return Int32Array.from(this.raw(name));
  }

  private tensor(name: string): Tensor {
    const tensor = this.tensors.get(name);
    if (!tensor) throw new ModelError(`the model has no ${name}`);
    return tensor;
  }

  private raw(name: string): Float32Array | Uint16Array | Int32Array | Int8Array | Uint8Array {
    const { dtype, shape, data_offsets } = this.tensor(name);
    const bytes = this.body.slice(...data_offsets);
    const count = shape.reduce((product, side) => product * side, 1);
    if (bytes.length !== count * (BYTES[dtype] ?? 0)) throw new ModelError(`${name} of the model is not what its header says`);
    switch (dtype) {
      case "F32":
        return new Float32Array(bytes.buffer);
      case "I32":
        return new Int32Array(bytes.buffer);
      case "I8":
        return new Int8Array(bytes.buffer);
      case "U8":
        return bytes;
      default:
        return new Uint16Array(bytes.buffer);
    }
  }
}

/** What each float16 stands for. */
const HALF = Float32Array.from({ length: 65_536 }, (_, bits) => {
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  const size = exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction * 2 ** -24;
  return (bits & 32_768 ? -1 : 1) * (exponent === 31 ? (fraction ? Number.NaN : Number.POSITIVE_INFINITY) : size);
});
