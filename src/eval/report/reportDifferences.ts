/** Rows of pictures: an image and what is wrong with it, band by band. */
import { html, type Markup } from '../../figures/html.ts';
import type { DifferencesData, LabelledPicture } from './data.ts';
import { picture } from './pictures.ts';

/** Pictures side by side, each with its label below. */
export function pictureRow(name: string, pictures: readonly LabelledPicture[]): Markup {
  return html`<div class="pictures">${pictures.map(({ label, png }) => html`<figure>${picture(png, `${name}, ${label}`)}<figcaption>${label}</figcaption></figure>`)}</div>`;
}

export function differencesSection({ magnification, images }: DifferencesData): Markup {
  return html`<section>
<h2>What reconstructions get wrong, band by band</h2>
${images.map(({ name, pictures }) => html`<h3>${name}</h3>\n${pictureRow(name, pictures)}\n`)}
<p class="note"><b>Reconstruction minus original, split into octaves of cycles per image</b>, ${magnification}× around middle grey: the pictures of an image add up to its difference, but for the lowest octaves and the mean. Flat grey is right; outlines in one band alone are detail that the model draws too weak, too strong or a little beside.</p>
</section>`;
}
