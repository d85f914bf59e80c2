// The orientation of EXIF: how the stored pixels must be turned to be upright.

/** 1…8 as in EXIF; 1, upright, where the payload doesn't say or can't be read. The payload begins with a TIFF header. */
export function orientationOf(exif: Uint8Array | undefined): number {
  if (!exif || exif.length < 14) return 1;
  const view = new DataView(exif.buffer, exif.byteOffset, exif.byteLength);
  const little = view.getUint16(0) === 0x4949;
  if (!little && view.getUint16(0) !== 0x4d4d) return 1;
  const directory = view.getUint32(4, little);
  if (directory + 2 > exif.length) return 1;
  const entries = view.getUint16(directory, little);
  for (let i = 0, at = directory + 2; i < entries && at + 12 <= exif.length; ++i, at += 12) {
    if (view.getUint16(at, little) === 0x0112) {
      const value = view.getUint16(at + 8, little);
      return value >= 1 && value <= 8 ? value : 1;
    }
  }
  return 1;
}

/** Whether width and height change places. */
export function isSideways(orientation: number): boolean {
  return orientation >= 5;
}

/** x, y, width, height in pixels. */
export type Region = readonly [x: number, y: number, width: number, height: number];

/** Where a region of the upright picture lies in the stored one, whose size is `width` × `height`. */
export function storedRegion(region: Region, orientation: number, width: number, height: number): Region {
  const [x, y, w, h] = isSideways(orientation) ? [region[1], region[0], region[3], region[2]] : region;
  const fromRight = [2, 3, 7, 8].includes(orientation);
  const fromBottom = [3, 4, 6, 7].includes(orientation);
  const storedX = fromRight ? width - x - w : x;
  const storedY = fromBottom ? height - y - h : y;
  return [storedX, storedY, w, h];
}

/** Stored RGBA pixels (height, width) → upright ones. */
export function upright(
  data: Uint8ClampedArray<ArrayBuffer>,
  width: number,
  height: number,
  orientation: number,
): Uint8ClampedArray<ArrayBuffer> {
  if (orientation === 1) return data;
  const from = new Uint32Array(data.buffer, data.byteOffset, width * height);
  const to = new Uint32Array(from.length);
  const [outWidth, outHeight] = isSideways(orientation) ? [height, width] : [width, height];
  for (let y = 0, at = 0; y < outHeight; ++y) {
    const [firstX, firstY] = storedRegion([0, y, 1, 1], orientation, width, height);
    const [secondX, secondY] = storedRegion([1, y, 1, 1], orientation, width, height);
    const step = secondX - firstX + width * (secondY - firstY);
    for (let x = 0, source = firstX + width * firstY; x < outWidth; ++x, source += step) to[at++] = from[source] as number;
  }
  return new Uint8ClampedArray(to.buffer);
}
