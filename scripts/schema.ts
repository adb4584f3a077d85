import { fileURLToPath } from 'node:url';
import { experimentJsonSchema } from '../src/config/jsonSchema.ts';
import { writeFileAtomically } from '../src/files/atomicFile.ts';
import { type Command, runAsProgram } from './cli.ts';

export const schema: Command = {
  command: 'schema',
  describe: 'write configs/schema.json, from which editors complete and check configs',
  handler: async () => {
    const path = fileURLToPath(new URL('../configs/schema.json', import.meta.url));
    await writeFileAtomically(path, `${JSON.stringify(experimentJsonSchema(), null, 2)}\n`);
    console.log(path);
  },
};

await runAsProgram(import.meta.url, 'schema', schema);
