import { describe, expect, it } from 'vitest';
import { contactSheet, magnify } from '../../src/render/contactSheet.ts';

/** An image whose every byte says which image, row, column and channel it is. */
function marked(index: number, width: number, height: number): Uint8Array {
  return Uint8Array.from({ length: width * height * 3 }, (_, i) => 40 * index + i);
}

describe('contactSheet', () => {
  it('places images row by row with gaps and background around them', () => {
    const images = [0, 1, 2].map((index) => marked(index, 3, 2));
    const sheet = contactSheet(images, 3, 2, { columns: 2, gap: 1, background: [250, 251, 252] });
    expect([sheet.width, sheet.height, sheet.pixels.length]).toEqual([9, 7, 9 * 7 * 3]);
    for (let y = 0; y < 7; y++) {
      for (let x = 0; x < 9; x++) {
        const inside = x % 4 !== 0 && y % 3 !== 0;
        const index = Math.floor(y / 3) * 2 + Math.floor(x / 4);
        for (let channel = 0; channel < 3; channel++) {
          const within = (((y % 3) - 1) * 3 + (x % 4) - 1) * 3 + channel;
          const expected = inside && index < 3 ? images[index][within] : 250 + channel;
          expect(sheet.pixels[(y * 9 + x) * 3 + channel]).toBe(expected);
        }
      }
    }
  });

  it('is about square unless told otherwise, and never wider than its images', () => {
    const images = Array.from({ length: 7 }, (_, index) => marked(index, 4, 4));
    expect(contactSheet(images, 4, 4, { gap: 0 }).width).toBe(12);
    expect(contactSheet(images.slice(0, 2), 4, 4, { gap: 0, columns: 9 }).width).toBe(8);
  });

  it('refuses an empty sheet, images of another size and gaps that are no number of pixels', () => {
    expect(() => contactSheet([], 4, 4)).toThrow('at least one');
    expect(() => contactSheet([marked(0, 4, 4), marked(1, 4, 3)], 4, 4)).toThrow('image 1 has 36 bytes');
    expect(() => contactSheet([marked(0, 4, 4)], 4, 4, { gap: 0.5 })).toThrow('gap');
    expect(() => contactSheet([marked(0, 4, 4)], 4, 4, { columns: 0 })).toThrow('columns');
  });
});

describe('magnify', () => {
  it('shows each pixel as a square', () => {
    const large = magnify(marked(0, 3, 2), 3, 2, 3);
    expect([large.width, large.height]).toEqual([9, 6]);
    for (let y = 0; y < 6; y++) {
      for (let x = 0; x < 9; x++) {
        expect(large.pixels[(y * 9 + x) * 3 + 1]).toBe((Math.floor(y / 3) * 3 + Math.floor(x / 3)) * 3 + 1);
      }
    }
  });

  it('leaves an image alone at factor 1 and refuses fractions', () => {
    expect(magnify(marked(2, 5, 4), 5, 4, 1).pixels).toEqual(marked(2, 5, 4));
    expect(() => magnify(marked(0, 3, 2), 3, 2, 1.5)).toThrow('factor');
  });
});
