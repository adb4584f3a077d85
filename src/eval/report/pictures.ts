/** The report's pictures: sections that show images. */
import { html, type Markup } from '../../figures/html.ts';
import { formatNumber } from '../../figures/scale.ts';
import type { DifferencesData, LabelledPicture, Png, ReconstructionsData, ResolutionsData } from './data.ts';

/** Where a window lies in the units of the SVG that shows it: the image is this wide. */
const IMAGE_UNITS = 1000;

/** Pairs of original and reconstruction. */
export function reconstructionsSection({ pairs, note }: ReconstructionsData): Markup {
  return html`<section>
<h2>Reconstructions</h2>
<figure>
<div class="pairs">${pairs.map(
    ({ name, original, reconstruction, psnrDb }) => html`
<div class="pair"><div>${picture(original, `${name}, original`)}${picture(reconstruction, `${name}, reconstruction`)}</div>
<p><span title="${name}">${name}</span>${psnrDb !== undefined && html`<span>${decibels(psnrDb)}</span>`}</p></div>`,
  )}
</div>
<figcaption><b>Original on the left, reconstruction on the right</b>, at the training size, with the PSNR of the pair. Fine texture goes missing first: look at outlines and small highlights.${note && ` ${note}`}</figcaption>
</figure>
</section>`;
}

/** Tiles of samples. */
export function samplesSection(samples: readonly Png[]): Markup {
  return html`<section>
<h2>Samples</h2>
<figure>
<div class="tiles">${samples.map((png, i) => picture(png, `sample ${i + 1}`))}</div>
<figcaption><b>Images of random latents</b>, none chosen by hand. They show what the latent space holds between the training images.</figcaption>
</figure>
</section>`;
}

/** Strips of frames, each from one latent to another. */
export function interpolationsSection(strips: readonly (readonly Png[])[]): Markup {
  return html`<section>
<h2>Interpolation</h2>
<figure>
${strips.map((frames) => html`<div class="strip">${frames.map((png, i) => picture(png, `frame ${i + 1} of ${frames.length}`))}</div>`)}
<figcaption><b>From one latent to another in equal steps</b>, left to right. A smooth latent space changes shape and colour along the way; a poor one cross-fades.</figcaption>
</figure>
</section>`;
}

/** Each image is embedded once; the detail refers to it. */
export function resolutionsSection({ name, drawings, detail }: ResolutionsData): Markup {
  const withTruth = drawings.some(({ truth }) => truth);
  const cells = (key: 'image' | 'truth', zoomed: boolean) =>
    drawings.map(({ scale, [key]: png }) =>
      png ? view(png, `resolution-${key}-${scale}`, `${name} at ${scale}×`, zoomed, detail) : html`<div></div>`,
    );
  const row = (label: string, content: Markup[]) => html`<p class="row">${label}</p>${content}\n`;
  return html`<section>
<h2>One image at any size</h2>
<figure>
<div class="scales" style="grid-template-columns: repeat(${drawings.length}, minmax(0, 1fr))">
${drawings.map(({ scale, image }) => {
  const { width, height } = pngSize(image);
  return html`<h3>${scale}× <small>${width} × ${height} px</small></h3>`;
})}
${row('Drawn by the model', cells('image', false))}
${withTruth && row('Ground truth', cells('truth', false))}
${detail && row('Detail, drawn by the model', cells('image', true))}
${detail && withTruth && row('Detail, ground truth', cells('truth', true))}
</div>
<figcaption><b>${name}, drawn by the same weights on finer and finer grids</b>, shown at one size; 1× is what the model was trained on. ${withTruth && 'Below it is the source drawn at that size: detail that only the truth has lies beyond what the training images could tell. '}${detail && 'The outlined part is magnified, so that pixels and edges can be compared.'}</figcaption>
</figure>
</section>`;
}

/** Pictures side by side, each with its label below. */
export function pictureRow(name: string, pictures: readonly LabelledPicture[]): Markup {
  return html`<div class="pictures">${pictures.map(({ label, png }) => html`<figure>${picture(png, `${name}, ${label}`)}<figcaption>${label}</figcaption></figure>`)}</div>`;
}

/** An image a row, and what is wrong with it, band by band. */
export function differencesSection({ magnification, images }: DifferencesData): Markup {
  return html`<section>
<h2>What reconstructions get wrong, band by band</h2>
${images.map(({ name, pictures }) => html`<h3>${name}</h3>\n${pictureRow(name, pictures)}\n`)}
<p class="note"><b>Reconstruction minus original, split into octaves of cycles per image</b>, ${magnification}× around middle grey: the pictures of an image add up to its difference, but for the lowest octaves and the mean. Flat grey is right; outlines in one band alone are detail that the model draws too weak, too strong or a little beside.</p>
</section>`;
}

/** The whole of an image, its detail outlined; or, zoomed, the detail of the image of that id. */
function view(png: Png, id: string, label: string, zoomed: boolean, detail: ResolutionsData['detail']): Markup {
  const { width, height } = pngSize(png);
  const unitsHigh = (IMAGE_UNITS * height) / width;
  const [x0, y0, x1, y1] = (detail ?? [0, 0, 1, 1]).map((edge, i) => edge * (i % 2 === 0 ? IMAGE_UNITS : unitsHigh));
  if (zoomed) {
    return html`<svg viewBox="${x0} ${y0} ${x1 - x0} ${y1 - y0}" role="img" aria-label="${label}, detail"><use href="#${id}"/></svg>`;
  }
  const outline = (color: string, strokeWidth: number) =>
    html`<rect x="${x0}" y="${y0}" width="${x1 - x0}" height="${y1 - y0}" fill="none" stroke="${color}" stroke-width="${strokeWidth}" vector-effect="non-scaling-stroke"/>`;
  return html`<svg viewBox="0 0 ${IMAGE_UNITS} ${unitsHigh}" role="img" aria-label="${label}">
<image id="${id}" class="pixels" href="${dataUri(png)}" width="${IMAGE_UNITS}" height="${unitsHigh}" preserveAspectRatio="none"/>
${detail && [outline('#fff', 3), outline('#222', 1)]}</svg>`;
}

/** An image of its own pixels, with what it is for those who can't see it. */
export function picture(png: Png, label: string): Markup {
  const { width, height } = pngSize(png);
  return html`<img src="${dataUri(png)}" alt="${label}" title="${label}" width="${width}" height="${height}" class="pixels">`;
}

function dataUri(png: Png): string {
  return `data:image/png;base64,${Buffer.from(png.buffer, png.byteOffset, png.byteLength).toString('base64')}`;
}

/** Width and height from the IHDR chunk, which comes first (PNG specification, §11.2.1). */
function pngSize(png: Png): { width: number; height: number } {
  const bytes = Buffer.from(png.buffer, png.byteOffset, png.byteLength);
  if (bytes.length < 24 || bytes.toString('latin1', 1, 4) !== 'PNG')
    throw new RangeError('image of a report is no PNG');
  return { width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20) };
}

/** One decimal, as PSNRs are quoted. */
function decibels(value: number): string {
  return `${Number.isFinite(value) ? value.toFixed(1) : formatNumber(value)} dB`;
}
