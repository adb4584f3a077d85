/** The report's style sheet: one column, light or dark as the reader has it, light on paper. */
export const REPORT_STYLE = `
:root { color-scheme: light dark; --paper: #fff; --ink: #1d1f23; --muted: #6a6d75; --line: #e3e3e0; --panel: #f5f5f2; --accent: #0072b2; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #141619; --ink: #e6e6e3; --muted: #989ba3; --line: #2c2f35; --panel: #1c1f23; --accent: #56b4e9; }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.6 ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 1000px; margin: 0 auto; padding: 72px 32px 96px; }
h1, h2 { font-family: ui-serif, Charter, "Iowan Old Style", "Source Serif 4", Georgia, serif; font-weight: 600; line-height: 1.2; text-wrap: balance; overflow-wrap: anywhere; }
h1 { font-size: 40px; letter-spacing: -0.012em; margin: 0 0 12px; }
h2 { font-size: 25px; margin: 0 0 20px; }
h3 { font-size: 15px; font-weight: 600; margin: 28px 0 8px; }
.kicker { margin: 0 0 14px; color: var(--muted); font-size: 13px; letter-spacing: 0.09em; text-transform: uppercase; }
.summary { margin: 0; max-width: 66ch; font-size: 18px; color: var(--muted); text-wrap: pretty; }
section { margin-top: 80px; }
figure { margin: 0; }
figure + figure { margin-top: 48px; }
figcaption, .note { max-width: 72ch; margin: 16px 0 0; color: var(--muted); font-size: 14px; line-height: 1.55; text-wrap: pretty; }
figcaption b, .note b { color: var(--ink); font-weight: 600; }
img, svg { display: block; max-width: 100%; height: auto; }
.narrow { display: none; }
.pixels { image-rendering: pixelated; }
.headline { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 28px 32px; margin: 48px 0 0; padding: 28px 0; border: solid var(--line); border-width: 1px 0; }
.headline div { display: flex; flex-direction: column-reverse; justify-content: flex-end; }
.headline dt { text-wrap: balance; color: var(--muted); font-size: 14px; line-height: 1.4; }
.headline dd { margin: 0 0 6px; font-size: 31px; font-weight: 600; line-height: 1.15; letter-spacing: -0.015em; font-variant-numeric: tabular-nums; }
.headline small { font-size: 16px; font-weight: 400; letter-spacing: 0; color: var(--muted); }
.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 400px), 1fr)); gap: 0 48px; margin: 28px 0 0; font-size: 15px; }
.facts div { display: grid; grid-template-columns: 8.5em 1fr; gap: 16px; padding: 7px 0; align-items: baseline; }
.facts dt { color: var(--muted); }
.facts dd { margin: 0; overflow-wrap: anywhere; }
.pairs { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 205px), 1fr)); gap: 26px 28px; }
.pair { min-width: 0; }
.pair > div { display: grid; grid-template-columns: 1fr 1fr; gap: 3px; }
.pair img, .tiles img, .strip img { width: 100%; }
.pair p { display: flex; justify-content: space-between; gap: 8px; margin: 6px 0 0; font-size: 12px; line-height: 1.4; color: var(--muted); }
.pair span:first-child { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.pair span + span { white-space: nowrap; font-variant-numeric: tabular-nums; }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(21%, 104px), 1fr)); gap: 6px; }
.pictures { display: grid; grid-auto-flow: column; grid-auto-columns: 1fr; gap: 6px; }
.pictures figure { margin: 0; min-width: 0; }
.pictures img { width: 100%; }
.pictures figcaption { margin: 4px 0 0; font-size: 12px; }
.strip { display: grid; grid-auto-flow: column; grid-auto-columns: 1fr; gap: 2px; }
.strip + .strip { margin-top: 10px; }
.scales { display: grid; gap: 10px 16px; align-items: start; }
.scales h3 { margin: 0; font-variant-numeric: tabular-nums; }
.scales h3 small { display: block; color: var(--muted); font-size: 13px; font-weight: 400; }
.scales .row { grid-column: 1 / -1; margin: 14px 0 -2px; color: var(--muted); font-size: 13px; }
.scales svg { width: 100%; border: 1px solid var(--line); }
.small { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 420px), 1fr)); gap: 28px 32px; }
.small svg { width: 100%; }
.small figure { margin: 0; }
.note + .small { margin-top: 28px; }
.table { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums; }
th, td { padding: 6px 0 6px 20px; text-align: right; white-space: nowrap; }
td small { color: var(--muted); font-size: 12px; }
th:first-child, td:first-child { padding-left: 0; text-align: left; }
thead th { color: var(--muted); font-weight: 400; border-bottom: 1px solid var(--line); vertical-align: bottom; }
tbody th { padding-top: 26px; font-weight: 600; border-bottom: 1px solid var(--line); }
tbody:first-of-type th { padding-top: 14px; }
tbody tr.beyond td { color: var(--muted); }
.distances .reads { text-align: left; white-space: normal; color: var(--muted); }
.skipped td { text-align: left; white-space: normal; overflow-wrap: anywhere; }
pre { margin: 0; padding: 16px 18px; overflow-x: auto; background: var(--panel); border-radius: 6px; font: 13px/1.6 ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
.command { margin: 0 0 20px; }
.command p { margin: 0 0 6px; font-size: 14px; color: var(--muted); }
summary { cursor: pointer; color: var(--accent); font-size: 15px; margin-bottom: 14px; }
footer { margin-top: 96px; padding-top: 20px; border-top: 1px solid var(--line); color: var(--muted); font-size: 13px; }
@media screen and (max-width: 600px) {
  .wide { display: none; }
  .narrow { display: block; }
  main { padding: 40px 18px 64px; }
  h1 { font-size: 31px; }
  section { margin-top: 60px; }
  .headline { grid-template-columns: 1fr 1fr; gap: 24px 20px; }
  .headline dd { font-size: 26px; }
  .facts div { grid-template-columns: 7.5em 1fr; }
  .pairs { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 18px 14px; }
  .scales { gap: 8px; }
  .distances .reads, .distances th:last-child { display: none; }
  .distances :is(td, th):not(:first-child) { padding-left: 10px; }
  .distances :is(td, th):nth-child(4) { display: none; }
  .distances td:nth-child(5) { white-space: normal; }
  .frequencies, .distances { font-size: 12px; }
  .frequencies th, .frequencies td { padding-left: 8px; }
  .frequencies th:first-child, .frequencies td:first-child { padding-left: 0; }
  .frequencies :is(th, td):is(:nth-child(2), :nth-child(3), :nth-child(4), :nth-child(6)) { display: none; }
}
@media print {
  :root { color-scheme: light; --paper: #fff; --ink: #000; --muted: #555; --line: #ccc; --panel: #f5f5f5; }
  body { font-size: 10.5pt; }
  main { max-width: none; padding: 0; }
  section { margin-top: 36pt; }
  h2, h3, thead { break-after: avoid; }
  figure, .pair, .command, tr { break-inside: avoid; }
  pre { white-space: pre-wrap; overflow-wrap: anywhere; }
}
`;
