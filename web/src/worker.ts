// Runs in a worker: one job after another.

import { Codec } from "./codec.js";
import { ModelError } from "./errors.js";
import { Weights } from "./model/weights.js";
import type { Reply, Request } from "./protocol.js";

/** Bytes of working memory that are kept from one picture to the next; beyond these it is given back. */
const KEPT = 256 * 2 ** 20;

const scope = globalThis as unknown as {
  postMessage(reply: Reply, transfer?: Transferable[]): void;
  onmessage: ((event: MessageEvent<Request>) => void) | null;
};
const jobs = new Map<number, AbortController>();
const models = new Map<string, Weights>();
let codec: Codec | null = null;
let queue: Promise<void> = Promise.resolve();

scope.onmessage = ({ data: request }) => {
  switch (request.type) {
    case "model":
      takeModel(request.id, request.file);
      break;
    case "abort":
      jobs.get(request.job)?.abort();
      break;
    case "decode":
      jobs.set(request.job, new AbortController());
      queue = queue.then(() => run(request));
  }
};

function takeModel(id: string, file: Uint8Array): void {
  try {
    models.set(id, new Weights(file));
  } catch {
    models.delete(id); // the pictures that need it will say so
  }
}

async function run({ job, model: id, data, options }: Request & { type: "decode" }): Promise<void> {
  const signal = (jobs.get(job) as AbortController).signal;
  try {
    const onProgress = (done: number, all: number) => scope.postMessage({ type: "progress", job, done, all });
    const picture = await codecOf(id).decode(data, { ...options, signal, onProgress });
    scope.postMessage({ type: "picture", job, picture }, [picture.data.buffer]);
  } catch (error) {
    if (error instanceof RangeError || error instanceof WebAssembly.RuntimeError) codec = null; // out of memory, perhaps half-way
    const { name, message } = error as Error;
    scope.postMessage({ type: "error", job, error: { name, message } });
  } finally {
    jobs.delete(job);
    if ((codec?.memory ?? 0) > KEPT) codec = null;
  }
}

function codecOf(id: string): Codec {
  const weights = models.get(id);
  if (!weights) throw new ModelError(`model ${id}: its file is broken`);
  if (codec?.id !== id) codec = new Codec(weights, id);
  return codec;
}
