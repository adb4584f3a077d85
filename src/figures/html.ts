/** Markup that can't be broken by what it shows: every interpolated text is escaped. */

/** Text that is markup already. */
export class Markup {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
  toString(): string {
    return this.text;
  }
}

/** What a template may interpolate; `false`, `null` and `undefined` leave nothing. */
export type Content = Markup | string | number | false | null | undefined | readonly Content[];

/** Tagged template for HTML, SVG and XML. Attribute values must be quoted in the template. */
export function html(strings: TemplateStringsArray, ...values: Content[]): Markup {
  return new Markup(strings.reduce((text, string, i) => text + markupOf(values[i - 1]) + string));
}

/** Escapes text for element content and for quoted attributes. Control characters, illegal in XML, become U+FFFD. */
export function escapeText(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;')
    .replace(/\p{Cc}/gu, (character) => ('\t\n\r'.includes(character) ? character : '\ufffd'));
}

function markupOf(content: Content): string {
  if (content instanceof Markup) return content.text;
  if (content === false || content === null || content === undefined) return '';
  if (typeof content === 'object') return content.map(markupOf).join('');
  return escapeText(String(content));
}
