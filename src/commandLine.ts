/** How a user calls our commands: what is printed as the next step, or in a report, must work where it is read. */

/** From an installed package, whose files are compiled, or from a checkout by `npx tsx scripts/chladni.ts`. */
function isOneProgram(): boolean {
  return import.meta.url.endsWith('.js') || /chladni(\.[jt]s)?$/.test(process.argv[1] ?? '');
}

/** `npm run train --` in a checkout, `npx chladni train` elsewhere. */
export function commandLine(name: string): string {
  return isOneProgram() ? `npx chladni ${name}` : `npm run ${name} --`;
}

/** This process as a command of that name, with its arguments, quoted for a shell where they need it. */
export function ownCommandLine(name: string): string {
  const words = process.argv.slice(2);
  if (words.includes(name) && isOneProgram()) words.splice(words.indexOf(name), 1);
  const quoted = words.map((word) => (/^[\w=.,:/@^-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`));
  return [commandLine(name), ...quoted].join(' ');
}
