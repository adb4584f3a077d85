import { describe, expect, it } from 'vitest';
import { escapeText, html } from '../../src/figures/html.ts';

describe('html', () => {
  it('escapes interpolated text and leaves markup as it is', () => {
    const inner = html`<b title="${'"x" & \'y\''}">${'<script>'}</b>`;
    expect(inner.text).toBe('<b title="&quot;x&quot; &amp; &#39;y&#39;">&lt;script&gt;</b>');
    expect(html`<p>${inner}</p>`.text).toBe(`<p>${inner.text}</p>`);
  });

  it('joins lists, prints numbers, zero included, and leaves out what is absent', () => {
    expect(html`${[1, 'a', html`<i/>`]}|${0}|${false}${null}${undefined}`.text).toBe('1a<i/>|0|');
  });
});

describe('escapeText', () => {
  it('replaces control characters, which XML forbids, but keeps line breaks and tabs', () => {
    expect(escapeText('a\u0000b\u001bc\n\td')).toBe('a\ufffdb\ufffdc\n\td');
  });
});
