// The decoder as a page sees it: work is done in a worker, so the page never stalls.

import workerCode from "../build/worker.txt";
import type { DecodeOptions, Picture } from "./codec.js";
import { type AecError, ModelError, revived } from "./errors.js";
import { readHeader } from "./format/container.js";
import type { Reply, Request } from "./protocol.js";

/** Where models are: a folder with files `<id>.safetensors`, or whoever gives the bytes of one. */
export type ModelSource = string | URL | ((id: string) => Promise<Uint8Array>);

const CACHE = "aecodec-models";

interface Job {
  resolve(picture: Picture): void;
  reject(error: Error | AecError): void;
  onProgress: DecodeOptions["onProgress"];
}

/** A decoder with a worker of its own, which it starts when it is first needed. */
export class Decoder {
  private readonly jobs = new Map<number, Job>();
  private readonly source: (id: string) => Promise<Uint8Array>;
  private worker: Worker | null = null;
  /** those that the worker has, or will have */
  private readonly models = new Map<string, Promise<void>>();
  private last = 0;

  constructor({ models = new URL("../models/", import.meta.url) }: { models?: ModelSource } = {}) {
    this.source = typeof models === "function" ? models : (id) => fetchModel(new URL(`${id}.safetensors`, absolute(models)));
  }

  /**
   * The picture of a .aec file, or a region of it.
   *
   * Rejects with a FormatError, LimitError, ModelError or UsageError, or with an AbortError when the signal says so.
   */
  async decode(data: Uint8Array, options: DecodeOptions = {}): Promise<Picture> {
    const { signal, onProgress, ...plain } = options;
    signal?.throwIfAborted();
    const { model } = readHeader(data, plain.limits);
    await this.load(model);
    signal?.throwIfAborted();
    const job = ++this.last;
    const abort = () => this.send({ type: "abort", job });
    signal?.addEventListener("abort", abort, { once: true });
    try {
      return await new Promise<Picture>((resolve, reject) => {
        this.jobs.set(job, { resolve, reject, onProgress });
        this.send({ type: "decode", job, model, data, options: plain });
      });
    } finally {
      this.jobs.delete(job);
      signal?.removeEventListener("abort", abort);
    }
  }

  /** Ends the worker; what is being decoded is rejected with an AbortError. The next `decode` starts a new one. */
  close(): void {
    this.worker?.terminate();
    this.worker = null;
    this.models.clear();
    for (const job of this.jobs.values()) job.reject(new DOMException("the decoder was closed", "AbortError"));
  }

  /** Sends the worker a model, once. */
  private load(id: string): Promise<void> {
    const known = this.models.get(id);
    if (known) return known;
    const loaded = this.source(id).then((file) => this.send({ type: "model", id, file }));
    this.models.set(id, loaded);
    loaded.catch(() => this.models.delete(id)); // it may be there the next time
    return loaded;
  }

  private send(request: Request): void {
    this.worker ??= this.start();
    this.worker.postMessage(request);
  }

  private start(): Worker {
    const url = URL.createObjectURL(new Blob([workerCode], { type: "text/javascript" }));
    const worker = new Worker(url);
    worker.onmessage = ({ data }: MessageEvent<Reply>) => this.receive(data);
    worker.onerror = (event) => {
      for (const job of this.jobs.values()) job.reject(new Error(event.message || "the worker could not be started"));
    };
    return worker;
  }

  private receive(reply: Reply): void {
    const job = this.jobs.get(reply.job);
    if (reply.type === "progress") job?.onProgress?.(reply.done, reply.all);
    else if (reply.type === "picture") job?.resolve(reply.picture);
    else job?.reject(revived(reply.error));
  }
}

function absolute(folder: string | URL): URL {
  const url = new URL(folder, document.baseURI);
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  return url;
}

/** From the cache of this site, where it stays, or from the network; a model never changes under its id. */
async function fetchModel(url: URL): Promise<Uint8Array> {
  const cache = await globalThis.caches?.open(CACHE).catch(() => undefined);
  let response = await cache?.match(url);
  if (!response) {
    try {
      response = await fetch(url);
    } catch (error) {
      throw new ModelError(`model ${url} can't be fetched (${(error as Error).message})`);
    }
    if (!response.ok) throw new ModelError(`model ${url} can't be fetched (${response.status} ${response.statusText})`);
    await cache?.put(url, response.clone()).catch(() => undefined); // a full disk is no reason not to show a picture
  }
  return new Uint8Array(await response.arrayBuffer());
}
