/** Decodes .aec images in a page. */

import { Decoder } from "./client.js";
import type { DecodeOptions, Picture } from "./codec.js";

export { Decoder, type ModelSource } from "./client.js";
export type { DecodeOptions, Picture } from "./codec.js";
export { toBitmap } from "./display.js";
export { AecError, FormatError, LimitError, ModelError, UsageError } from "./errors.js";
export type { Chunk, Mode } from "./format/container.js";
export { type Info, info, sizeOf } from "./format/information.js";
export type { Region } from "./format/orientation.js";
export type { Limits } from "./limits.js";
export { toPng } from "./png.js";

let decoder: Decoder | null = null;

/** `Decoder.decode`, of one decoder for the whole page that takes models from where this package is. */
export function decode(data: Uint8Array, options?: DecodeOptions): Promise<Picture> {
  decoder ??= new Decoder();
  return decoder.decode(data, options);
}
