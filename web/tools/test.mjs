// Bundles the tests and runs them in Node: `node tools/test.mjs [names…]`.

import { spawnSync } from "node:child_process";
import { readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const wanted = process.argv.slice(2);
const names = readdirSync(join(root, "tests"))
  .filter((file) => file.endsWith(".test.ts"))
  .map((file) => file.slice(0, -".test.ts".length))
  .filter((name) => !wanted.length || wanted.includes(name));
rmSync(join(root, "build", "tests"), { recursive: true, force: true });
await build({
  absWorkingDir: root,
  entryPoints: names.map((name) => `tests/${name}.test.ts`),
  outdir: "build/tests",
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node20",
  packages: "external",
  sourcemap: "inline",
  loader: { ".wasm": "binary", ".txt": "text" },
  logLevel: "warning",
});
const files = names.map((name) => `build/tests/${name}.test.js`);
const options = ["--enable-source-maps", "--test", "--test-concurrency", "1", "--test-reporter", "spec"];
process.exit(spawnSync(process.execPath, [...options, ...files], { cwd: root, stdio: "inherit" }).status ?? 1);
