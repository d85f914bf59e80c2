// A tile's bytes to symbols: docs/format.md, Entropy layer.

import { FormatError } from "../errors.js";
import type { Kernels, Pointer } from "../nets/kernels.js";
import type { Table, Tables } from "./tables.js";

/** The least scale index whose symbols have a state. */
const FIRST_DEPENDENT = 12;
const INDEXES = 64;
/** A step has at most so many rows of symbols with a state. */
const ROWS = 64;
/** The state after a symbol: 2 · state before + parity of the symbol. */
const NEXT = [0, 2, 5, 7, 1, 3, 6, 4, 2, 0, 4, 6, 3, 1, 7, 5];

/** Symbols of a step, and 1 for those of the second quantiser. */
export interface Step {
  symbols: Int32Array;
  shifted: Uint8Array;
}

/** Symbols of one tile, asked for in the order in which they were written. Lives in memory that its maker frees. */
export class Decoder {
  private readonly out: Pointer;

  /** `largest` is how many symbols a step has at most. Throws FormatError. */
  constructor(
    private readonly kernels: Kernels,
    private readonly tables: Tables,
    data: Uint8Array,
    largest: number,
  ) {
    if (data.at(-1) === 0) throw new FormatError("tile: the entropy-coded data ends with a zero byte, must be left out");
    const size = (data.length + 3) & ~3;
    const words = kernels.bytes(size);
    const memory = kernels.octets(words, size).fill(0);
    memory.set(data);
    kernels.call.start(words, size);
    this.out = kernels.bytes(4 * largest);
  }

  /** The symbols of a step of ẑ from their tables. */
  hyper(tables: Int32Array): Int32Array {
    const symbols = new Int32Array(tables.length);
    const { order, starts } = sorted(tables, this.tables.hyper.length);
    this.tables.hyper.forEach((table, i) => {
      this.run(table, order.subarray(starts[i], starts[i + 1]), symbols);
    });
    return symbols;
  }

  /** The symbols of one step of the latent from their scale indexes. */
  step(indexes: Uint8Array): Step {
    const found = { symbols: new Int32Array(indexes.length), shifted: new Uint8Array(indexes.length) };
    const { order, starts } = sorted(indexes, INDEXES);
    for (let index = 1; index < FIRST_DEPENDENT; ++index) {
      this.run(this.tables.residual[index - 1] as Table, order.subarray(starts[index], starts[index + 1]), found.symbols);
    }
    const dependent = order.subarray(starts[FIRST_DEPENDENT]);
    const width = Math.ceil(dependent.length / ROWS);
    const states = new Uint8Array(width);
    for (let start = 0; start < dependent.length; start += width) {
      this.row(dependent.subarray(start, start + width), indexes, states, found);
    }
    return found;
  }

  /** Throws FormatError if anything is left over. */
  finish(): void {
    if (!this.kernels.call.finished()) throw new FormatError("tile: data left over after the last symbol");
  }

  /** A row of symbols that don't depend on one another, sorted by index: those of the first quantiser come first. */
  private row(row: Uint32Array, indexes: Uint8Array, states: Uint8Array, { symbols, shifted }: Step): void {
    const places = new Uint32Array(row.length);
    const tables = new Uint8Array(row.length);
    let count = 0;
    for (const odd of [0, 1]) {
      for (let lane = 0; lane < row.length; ++lane) {
        if (((states[lane] as number) & 1) !== odd) continue;
        const place = row[lane] as number;
        shifted[place] = odd;
        places[count] = place;
        tables[count++] = (indexes[place] as number) - 1 + (INDEXES - FIRST_DEPENDENT) * odd;
      }
    }
    for (let start = 0, stop = 0; start < count; start = stop) {
      const table = tables[start] as number;
      while (stop < count && tables[stop] === table) ++stop;
      this.run(this.tables.residual[table] as Table, places.subarray(start, stop), symbols);
    }
    for (let lane = 0; lane < row.length; ++lane) {
      states[lane] = NEXT[2 * (states[lane] as number) + ((symbols[row[lane] as number] as number) & 1)] as number;
    }
  }

  private run({ bounds, half }: Table, places: Uint32Array, symbols: Int32Array): void {
    if (!places.length) return;
    if (!this.kernels.call.read(bounds, half, places.length, this.out)) {
      throw new FormatError("tile: the entropy-coded data is invalid");
    }
    const found = this.kernels.integers(this.out, places.length);
    for (let i = 0; i < places.length; ++i) symbols[places[i] as number] = found[i] as number;
  }
}

/** Places by their key, 0…keys − 1, in order where keys are equal; those of key i are from starts[i] up to starts[i + 1]. */
function sorted(keys: ArrayLike<number>, count: number): { order: Uint32Array; starts: Uint32Array } {
  const starts = new Uint32Array(count + 1);
  for (let i = 0; i < keys.length; ++i) starts[(keys[i] as number) + 1] = (starts[(keys[i] as number) + 1] as number) + 1;
  for (let key = 0; key < count; ++key) starts[key + 1] = (starts[key + 1] as number) + (starts[key] as number);
  const next = starts.slice();
  const order = new Uint32Array(keys.length);
  for (let i = 0; i < keys.length; ++i) {
    const key = keys[i] as number;
    order[next[key] as number] = i;
    next[key] = (next[key] as number) + 1;
  }
  return { order, starts };
}
