#!/usr/bin/env node
/** `npx chladni COMMAND`: all commands in one program. */
import { runCommands } from './cli.ts';
import { doctor } from './doctor.ts';
import { evaluate } from './evaluate.ts';
import { prepare } from './prepare.ts';
import { prior } from './prior.ts';
import { report } from './report.ts';
import { sample } from './sample.ts';
import { start } from './start.ts';
import { train } from './train.ts';

await runCommands('chladni', [start, prepare, train, prior, sample, evaluate, report, doctor]);
