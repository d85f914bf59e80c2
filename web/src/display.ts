// Pictures on the screen.

import type { Picture } from "./codec.js";
import { toPng } from "./png.js";

/** A bitmap for a canvas. Where there is a color profile the browser converts from it, which it does for files only. */
export async function toBitmap(picture: Picture): Promise<ImageBitmap> {
  if (picture.icc) {
    try {
      return await createImageBitmap(new Blob([await toPng(picture)], { type: "image/png" }));
    } catch {
      // a profile that the browser refuses: show the values as they are
    }
  }
  return createImageBitmap(new ImageData(picture.data, picture.width, picture.height));
}
