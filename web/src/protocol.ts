// What a page and its worker say to each other.

import type { DecodeOptions, Picture } from "./codec.js";
import type { PlainError } from "./errors.js";

/** Options that can be sent: without callbacks and signals. */
export type PlainOptions = Pick<DecodeOptions, "region" | "allowPartial" | "limits">;

export type Request =
  | { type: "model"; id: string; file: Uint8Array }
  | { type: "decode"; job: number; model: string; data: Uint8Array; options: PlainOptions }
  | { type: "abort"; job: number };

export type Reply =
  | { type: "progress"; job: number; done: number; all: number }
  | { type: "picture"; job: number; picture: Picture }
  | { type: "error"; job: number; error: PlainError };
