// The files of the repository's tests decode to what they decode to in Python, or are refused in the same way.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { FormatError, LimitError } from "../src/errors.js";
import { read } from "../src/format/container.js";
import { codec, corruptFiles, difference, goldenFiles, readPng } from "./support.js";

const decoder = codec();

/** (row, column, channel) → the bytes of (channel, row, column), little-endian. */
function channelsFirst(values: Int32Array | Uint8Array, height: number, width: number): Uint8Array {
  const positions = height * width;
  const channels = values.length / positions;
  const out = values.map((_, i) => values[(i % positions) * channels + Math.floor(i / positions)] as number);
  return new Uint8Array(out.buffer);
}

for (const { name, file, png, symbols } of goldenFiles()) {
  test(`${name}: symbols are those of the package`, () => {
    const hash = createHash("sha256");
    for (const { symbols: found, height, width } of decoder.symbols(file)) {
      hash.update(channelsFirst(found.zHat, Math.ceil(height / 4), Math.ceil(width / 4)));
      hash.update(channelsFirst(found.indexes, height, width));
      hash.update(channelsFirst(found.symbols, height, width));
    }
    assert.equal(hash.digest("hex"), symbols);
  });

  test(`${name}: pixels are within 1 of the package's`, async () => {
    const expected = readPng(png);
    const picture = await decoder.decode(file);
    assert.deepEqual([picture.width, picture.height, picture.notes], [expected.width, expected.height, []]);
    assert.ok(difference(picture.data, expected.data) <= 1);
  });
}

for (const { name, file } of corruptFiles()) {
  test(`${name} is refused`, () => {
    assert.throws(
      () => read(file),
      (error) => {
        assert.ok(error instanceof FormatError, String(error));
        assert.equal(error instanceof LimitError, name.endsWith("beyond-limit"), error.message);
        return !error.message.includes("\n");
      },
    );
  });
}
