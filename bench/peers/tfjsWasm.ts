/** TensorFlow.js's wasm backend as it comes, without the kernels that the wasm engine replaces: `tfjsWasm.ts STEPS`. */
import '@tensorflow/tfjs-backend-wasm';
import { tf } from '../../src/tf.ts';
import { median } from '../measure.ts';
import { trainSteps } from '../step.ts';

await tf.setBackend('wasm');
const { seconds } = await trainSteps(Number(process.argv[2]));
console.log(JSON.stringify({ version: `TensorFlow.js ${tf.version.tfjs} wasm`, step: 1000 * median(seconds) }));
