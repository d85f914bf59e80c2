"""Write golden files for the weights in the package: .aec files, the pixels they decode to, and the hashes of their symbols.

Golden files prove that a file written today decodes the same for ever. So they are made once for each weights file and never
again: this refuses to touch a folder that is there. When new weights replace the old, the old folder goes with them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from aecodec import Codec
from aecodec.picture.imageio import to_image

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
from tests.symbols import symbols_hash  # noqa: E402

DATA = ROOT / "tests" / "data"


def examples() -> dict[str, tuple[Image.Image, float, int]]:
    """Name → (image, quality, tile side): every mode, several qualities, one tile and many, odd sizes."""
    face, fence, motorcycles = (Image.open(DATA / f"{name}.png") for name in ("face", "fence", "motorcycles"))
    ramp = Image.fromarray(np.tile(np.arange(230, dtype=np.uint8), (201, 1)))
    with_alpha = fence.copy()
    with_alpha.putalpha(ramp)
    gray_alpha = face.convert("L").resize((77, 33))
    gray_alpha.putalpha(ramp.resize((77, 33)))
    return {
        "rgb_q75": (face, 75, 1024),
        "rgb_q0": (motorcycles, 0, 1024),
        "rgb_q100": (fence, 100, 1024),
        "rgb_q40_tiles": (motorcycles, 40, 128),
        "rgba_q60": (with_alpha, 60, 1024),
        "gray_q75": (face.convert("L"), 75, 1024),
        "gray_alpha_q50": (gray_alpha, 50, 1024),
        "one_pixel": (Image.new("RGB", (1, 1), (200, 30, 90)), 75, 1024),
        "row": (motorcycles.crop((0, 100, 257, 101)), 75, 64),
    }


def main() -> None:
    """Write them, or say why not."""
    codec = Codec(threads=1)
    folder = ROOT / "tests" / "golden" / codec.weights.fingerprint.hex()
    if folder.exists():
        sys.exit(f"{folder} is there: golden files are never made again")
    folder.mkdir(parents=True)
    hashes = {}
    for name, (image, quality, tile) in examples().items():
        data = codec.compress(image, quality=quality, tile=tile)
        (folder / f"{name}.aec").write_bytes(data)
        to_image(codec.decompress(data)).save(folder / f"{name}.png", optimize=True)
        hashes[name] = symbols_hash(codec, data)
        print(f"{name}: {len(data)} bytes")
    (folder / "symbols.json").write_text(json.dumps(hashes, indent=2) + "\n")


if __name__ == "__main__":
    main()
