/** Decodes .aec images in Node, in the thread that asks. */

import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { ModelSource } from "./client.js";
import { Codec, type DecodeOptions, type Picture } from "./codec.js";
import { ModelError } from "./errors.js";
import { readHeader } from "./format/container.js";
import { Weights } from "./model/weights.js";

export type { ModelSource } from "./client.js";
export type { DecodeOptions, Picture } from "./codec.js";
export { AecError, FormatError, LimitError, ModelError, UsageError } from "./errors.js";
export type { Chunk, Mode } from "./format/container.js";
export { type Info, info, sizeOf } from "./format/information.js";
export type { Region } from "./format/orientation.js";
export type { Limits } from "./limits.js";
export { toPng } from "./png.js";

/** A decoder that keeps the model of the last file. */
export class Decoder {
  private readonly source: (id: string) => Promise<Uint8Array>;
  private codec: Codec | null = null;
  private queue: Promise<unknown> = Promise.resolve();

  /** `models` is a folder with files `<id>.safetensors`, by default that of this package, or whoever gives the bytes of one. */
  constructor({ models = new URL("../models/", import.meta.url) }: { models?: ModelSource } = {}) {
    this.source = typeof models === "function" ? models : (id) => readModel(models, id);
  }

  /** See `Decoder.decode` of the browser. */
  decode(data: Uint8Array, options: DecodeOptions = {}): Promise<Picture> {
    const picture = this.queue.then(() => this.run(data, options));
    this.queue = picture.catch(() => undefined);
    return picture;
  }

  /** Gives the model and the working memory back. */
  close(): void {
    this.codec = null;
  }

  private async run(data: Uint8Array, options: DecodeOptions): Promise<Picture> {
    const { model } = readHeader(data, options.limits);
    if (this.codec?.id !== model) this.codec = new Codec(new Weights(await this.source(model)), model);
    return this.codec.decode(data, options);
  }
}

async function readModel(folder: string | URL, id: string): Promise<Uint8Array> {
  const path = `${folder instanceof URL ? fileURLToPath(folder) : folder}/${id}.safetensors`;
  try {
    return await readFile(path);
  } catch (error) {
    throw new ModelError(`model ${id} is not at ${path} (${(error as NodeJS.ErrnoException).code})`);
  }
}

let decoder: Decoder | null = null;

/** `Decoder.decode`, of one decoder that takes models from this package. */
export function decode(data: Uint8Array, options?: DecodeOptions): Promise<Picture> {
  decoder ??= new Decoder();
  return decoder.decode(data, options);
}
