"""A real photograph through compress, info and decompress, beside a JPEG of the same size. Leaves its files in demo/."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "tests" / "data" / "kodim23.png"
OUT = ROOT / "demo"
QUALITY = 30


def aec(*arguments: str | Path) -> None:
    """Run one command, shown as it would be typed."""
    print("$ aec", *(Path(a).relative_to(ROOT) if isinstance(a, Path) else a for a in arguments), flush=True)
    subprocess.run([sys.executable, "-m", "aecodec", *map(str, arguments)], check=True)


def psnr(a: Image.Image, b: Image.Image) -> float:
    """PSNR over RGB in dB."""
    error = np.asarray(a, float) - np.asarray(b, float)
    return float(10 * np.log10(255**2 / np.mean(error**2)))


def jpeg_of_size(image: Image.Image, size: int) -> tuple[Image.Image, int]:
    """The best JPEG of at most ``size`` bytes, or the smallest there is."""
    for quality in range(95, 0, -1):
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality, optimize=True, progressive=True)
        if buffer.tell() <= size:
            break
    return Image.open(buffer).convert("RGB"), buffer.tell()


def main() -> None:
    """Run the commands, print the figures, write the picture."""
    OUT.mkdir(exist_ok=True)
    coded, decoded = OUT / "photo.aec", OUT / "photo.png"
    aec("compress", SOURCE, coded, "--quality", str(QUALITY), "--force")
    aec("info", coded)
    aec("decompress", coded, decoded, "--force")
    original, ours = Image.open(SOURCE).convert("RGB"), Image.open(decoded)
    jpeg, jpeg_size = jpeg_of_size(original, coded.stat().st_size)
    print(f"\n{'original PNG':14}{SOURCE.stat().st_size:9,} bytes")
    print(f"{'aecodec':14}{coded.stat().st_size:9,} bytes  {psnr(original, ours):.2f} dB")
    print(f"{'JPEG':14}{jpeg_size:9,} bytes  {psnr(original, jpeg):.2f} dB")
    box = (220, 80, 476, 336)
    picture = Image.new("RGB", (3 * 256, 256))
    for i, image in enumerate((original, ours, jpeg)):
        picture.paste(image.crop(box), (256 * i, 0))
    picture.save(OUT / "comparison.png")
    print("demo/comparison.png: original, aecodec, JPEG of the same size")


if __name__ == "__main__":
    main()
