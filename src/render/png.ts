import type { RgbImage } from './contactSheet.ts';
import { encodePng } from './pngStream.ts';

/** An image as the bytes of a PNG file. */
export async function pngOf({ width, height, pixels }: RgbImage): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of encodePng(width, height, [pixels])) chunks.push(chunk);
  return Buffer.concat(chunks);
}
