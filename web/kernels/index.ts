// What the decoder asks of WebAssembly. All arguments are addresses or counts; nothing is allocated here.

export { gemm, gemmScratch } from "./gemm";
export { block, blockScratch, depthwise, neighbors, phase, shuffle } from "./layers";
export { finished, read, start } from "./coder";
export { blocksToPlanes, correctionScratch, correctRow, meanOfPlanes, toBytes } from "./pixels";

/** The first address that is free. */
export function heapBase(): usize {
  return __heap_base;
}
