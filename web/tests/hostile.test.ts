// Whatever bytes a file holds, decoding it ends soon, in a picture or in one of our errors, in bounded memory.
// MUTATIONS=2000 in the environment tries more than the few of every day.

import assert from "node:assert/strict";
import { test } from "node:test";
import { AecError } from "../src/errors.js";
import { readHeader } from "../src/format/container.js";
import { DEFAULT_LIMITS } from "../src/limits.js";
import { mutate, Random } from "./mutations.js";
import { codec, goldenFiles } from "./support.js";

const COUNT = Number(process.env.MUTATIONS ?? 120);
/** No single file may take longer. */
const MILLISECONDS = 5000;
const MEMORY = 128 * 2 ** 20;
const limits = { ...DEFAULT_LIMITS, pixels: 2 ** 16 };

test(`${COUNT} mutated files give a picture or one of our errors`, async () => {
  const decoder = codec();
  const files = goldenFiles()
    .map(({ file }) => file)
    .filter((file) => readHeader(file).width * readHeader(file).height <= limits.pixels);
  const outcomes: Record<string, number> = { picture: 0, FormatError: 0 };
  for (let seed = 0; seed < COUNT; ++seed) {
    const random = new Random(seed);
    const data = mutate(random, files);
    const start = performance.now();
    const outcome = await decoder.decode(data, { limits, allowPartial: random.below(10) < 3 }).then(
      ({ width, height, data: pixels }) => {
        assert.equal(pixels.length, 4 * width * height);
        return "picture";
      },
      (error: unknown) => {
        assert.ok(error instanceof AecError && !error.message.includes("\n"), `seed ${seed}: ${error}`);
        return error.name;
      },
    );
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    assert.ok(performance.now() - start < MILLISECONDS, `seed ${seed} takes too long`);
  }
  // the mutator reaches the layout as well as what lies behind the checksums
  assert.ok((outcomes.FormatError ?? 0) > COUNT / 10 && (outcomes.picture ?? 0) > COUNT / 40, JSON.stringify(outcomes));
  assert.ok(decoder.memory < MEMORY, `${decoder.memory} bytes`);
  console.log(JSON.stringify(outcomes), `${Math.round(decoder.memory / 2 ** 20)} MiB`);
});

test("a file cut or changed anywhere is refused, or shown in part if one asks for it", async () => {
  const decoder = codec();
  const file = goldenFiles().find(({ name }) => name === "row")?.file as Uint8Array;
  for (let at = 0; at < file.length; at += 3) {
    const changed = file.slice();
    changed[at] = (changed[at] as number) ^ (1 << (at % 8));
    for (const data of [file.subarray(0, at), changed]) {
      await assert.rejects(decoder.decode(data), { name: "FormatError" });
      await decoder.decode(data, { allowPartial: true }).catch((error) => assert.ok(error instanceof AecError, String(error)));
    }
  }
});
