// Builds the kernels, the decoder, the element and the viewer's page. `node tools/build.mjs`, or `npm run build`.

import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const inRoot = (...parts) => join(root, ...parts);
const common = {
  absWorkingDir: root,
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  legalComments: "none",
  loader: { ".wasm": "binary", ".txt": "text", ".css": "text" },
  logLevel: "warning",
};

/** WebAssembly with and without fused multiplication and addition. */
function kernels() {
  const asc = createRequire(import.meta.url).resolve("assemblyscript/bin/asc.js");
  for (const [name, features] of [
    ["kernels", ["simd"]],
    ["kernels-relaxed", ["simd", "relaxed-simd"]],
  ]) {
    const enabled = features.flatMap((feature) => ["--enable", feature]);
    const options = ["--runtime", "stub", "--noAssert", "-O3", "--use", "abort=", "--initialMemory", "1", ...enabled];
    execFileSync(process.execPath, [asc, "kernels/index.ts", "-o", `build/${name}.wasm`, ...options], {
      cwd: root,
      stdio: "inherit",
    });
  }
}

/** What runs in a worker, as text that goes into the decoder. */
async function worker() {
  await build({ ...common, entryPoints: ["src/worker.ts"], format: "iife", outfile: "build/worker.txt" });
}

async function libraries() {
  await build({ ...common, entryPoints: ["src/index.ts"], outfile: "dist/index.js" });
  await build({ ...common, entryPoints: ["src/element.ts"], outfile: "dist/element.js", external: ["./index.js"] });
  await build({ ...common, entryPoints: ["src/node.ts"], outfile: "dist/node.js", platform: "node" });
  const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");
  const types = ["--noEmit", "false", "--declaration", "--emitDeclarationOnly", "--rootDir", "src", "--outDir", "dist/types"];
  execFileSync(process.execPath, [tsc, "-p", "tsconfig.build.json", ...types], { cwd: root, stdio: "inherit" });
}

rmSync(inRoot("dist"), { recursive: true, force: true });
mkdirSync(inRoot("build"), { recursive: true });
kernels();
await worker();
await libraries();
