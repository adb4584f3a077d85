/** Runs the commands as processes, as a user does. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');

export interface Result {
  code: number | null;
  signal: string | null;
  out: string;
  err: string;
}

export function launch(script: string, args: string[]): { child: ChildProcess; result: Promise<Result> } {
  const child = spawn(process.execPath, ['--import', 'tsx', join(root, 'scripts', `${script}.ts`), ...args], {
    cwd: root,
  });
  let [out, err] = ['', ''];
  child.stdout.on('data', (data) => {
    out += data;
  });
  child.stderr.on('data', (data) => {
    err += data;
  });
  return {
    child,
    result: new Promise((done) => child.on('close', (code, signal) => done({ code, signal, out, err }))),
  };
}

/** The script to its end. */
export const run = (script: string, ...args: string[]) => launch(script, args).result;
