/** What a bench found: figures by key for the JSON, and rows for the table it prints. */

export type FigureValue = number | string | null;

/** A ratio to reach: beyond 1 it is shown as a factor, else in percent. */
export interface Target {
  must: number;
  reach: number;
}

export const percent = (fraction: number) => `${(100 * fraction).toFixed(1)} %`;
export const giga = (rate: number, unit: string) => `${(rate / 1e9).toFixed(1)} ${unit}`.trim();

export class BenchTable {
  readonly figures: Record<string, FigureValue> = {};
  private readonly rows: string[][] = [['work', 'measured', 'figure', 'must', 'reach']];

  /** Records a ratio under its key and in the table, beside what it must be and should reach, if anything is asked of it. */
  record(key: string, figure: number | null, label: string, measured: string, target?: Target): void {
    const shown = (value: number | null | undefined) => {
      if (value === undefined) return '';
      if (value === null) return 'null';
      return (target ? target.reach > 1 : !key.includes('fraction')) ? `${value.toFixed(2)}×` : percent(value);
    };
    this.figures[key] = figure === null ? null : Number(figure.toFixed(4));
    this.rows.push([label, measured, shown(figure), shown(target?.must), shown(target?.reach)]);
  }

  /** A row without a target. */
  note(label: string, measured: string): void {
    this.rows.push([label, measured, '', '', '']);
  }

  text(): string {
    const widths = this.rows[0].map((_, column) => Math.max(...this.rows.map((row) => row[column].length)));
    return this.rows
      .map((row) => row.map((cell, i) => (i < 2 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  '))
      .join('\n');
  }

  /** Why figures are missing, a line each, where no row says so. */
  reasons(): string[] {
    const shown = new Set(this.rows.map(([, measured]) => measured));
    return Object.entries(this.figures).flatMap(([key, value]) => {
      return /_reason(_|$)/.test(key) && !shown.has(String(value)) ? [`${key}: ${value}`] : [];
    });
  }
}
