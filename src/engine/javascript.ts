import { tf } from '../tf.ts';
import type { Engine } from './contract.ts';

/** Plain JavaScript: always there, slow, every op and gradient TensorFlow.js has. */
export const javascriptEngine: Engine = {
  name: 'javascript',
  description: 'pure JavaScript (TensorFlow.js cpu backend)',
  async probe() {
    return { available: true, detail: `V8 ${process.versions.v8}` };
  },
  async start() {
    await tf.setBackend('cpu');
    await tf.ready();
    return {};
  },
};
