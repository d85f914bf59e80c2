// The WebAssembly kernels (web/kernels), and their memory.

import plain from "../../build/kernels.wasm";
import relaxed from "../../build/kernels-relaxed.wasm";

/** An address in the memory of the kernels. */
export type Pointer = number;

interface Exports {
  memory: WebAssembly.Memory;
  heapBase(): number;
  gemm(
    a: Pointer,
    rows: number,
    k: number,
    b: Pointer,
    n: number,
    bias: Pointer,
    add: Pointer,
    slope: number,
    out: Pointer,
    scratch: Pointer,
  ): void;
  gemmScratch(k: number): number;
  block(
    x: Pointer,
    height: number,
    width: number,
    channels: number,
    hidden: number,
    weights: Pointer,
    out: Pointer,
    scratch: Pointer,
  ): void;
  blockScratch(channels: number, hidden: number): number;
  depthwise(
    x: Pointer,
    height: number,
    width: number,
    channels: number,
    weights: Pointer,
    bias: Pointer,
    from: number,
    to: number,
    out: Pointer,
    scratch: Pointer,
  ): void;
  neighbors(
    x: Pointer,
    height: number,
    width: number,
    channels: number,
    side: number,
    top: number,
    left: number,
    fromRow: number,
    toRow: number,
    columns: number,
    out: Pointer,
  ): void;
  shuffle(x: Pointer, height: number, width: number, channels: number, out: Pointer): void;
  phase(x: Pointer, height: number, width: number, channels: number, top: number, left: number, out: Pointer): void;
  start(data: Pointer, size: number): void;
  read(bounds: Pointer, half: number, count: number, out: Pointer): number;
  finished(): number;
  blocksToPlanes(blocks: Pointer, row: number, columns: number, planes: Pointer, height: number, width: number): void;
  meanOfPlanes(planes: Pointer, size: number): void;
  toBytes(samples: Pointer, count: number, out: Pointer): void;
  correctionScratch(channels: number, columns: number): number;
  correctRow(
    planes: Pointer,
    channels: number,
    height: number,
    width: number,
    y: number,
    left: number,
    columns: number,
    weights: Pointer,
    half: number,
    out: Pointer,
    scratch: Pointer,
  ): void;
}

const PAGE = 65_536;

/** Memory is given out in order, and given back from the end: `within` frees all that was allocated inside. */
export class Kernels {
  readonly call: Exports;
  private top: Pointer;

  constructor() {
    // fused multiplication and addition where the engine has it, which is a third faster
    const code = WebAssembly.validate(relaxed) ? relaxed : plain;
    this.call = new WebAssembly.Instance(new WebAssembly.Module(code)).exports as unknown as Exports;
    this.top = this.call.heapBase();
  }

  /** Room for so many bytes. */
  bytes(count: number): Pointer {
    const at = (this.top + 15) & ~15;
    this.top = at + count;
    const missing = this.top - this.call.memory.buffer.byteLength;
    if (missing > 0) this.call.memory.grow(Math.ceil(missing / PAGE));
    return at;
  }

  /** Room for so many floats. */
  room(count: number): Pointer {
    return this.bytes(4 * count);
  }

  /** Floats, put there. */
  put(values: ArrayLike<number>): Pointer {
    const at = this.room(values.length);
    this.floats(at, values.length).set(values);
    return at;
  }

  /** What `work` returns; whatever it allocates is free again. */
  within<T>(work: () => T): T {
    const before = this.top;
    try {
      return work();
    } finally {
      this.top = before;
    }
  }

  /** Free all that was allocated after `at`. */
  release(at: Pointer): void {
    this.top = at;
  }

  /** Where the next allocation would be. */
  get mark(): Pointer {
    return this.top;
  }

  /** A view, good until the next allocation. */
  floats(at: Pointer, count: number): Float32Array {
    return new Float32Array(this.call.memory.buffer, at, count);
  }

  /** A view, good until the next allocation. */
  integers(at: Pointer, count: number): Int32Array {
    return new Int32Array(this.call.memory.buffer, at, count);
  }

  /** A view, good until the next allocation. */
  octets(at: Pointer, count: number): Uint8Array {
    return new Uint8Array(this.call.memory.buffer, at, count);
  }
}
