/** What a file may ask of the machine, checked before anything is allocated. */
export interface Limits {
  /** width · height; 2^28, 16384×16384, by default */
  pixels: number;
  /** pixels of width or height */
  side: number;
  /** bytes of ICC, EXIF and XMP together */
  metadataBytes: number;
}

export const DEFAULT_LIMITS: Limits = { pixels: 2 ** 28, side: 65_535, metadataBytes: 16 * 2 ** 20 };
