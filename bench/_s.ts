import { startEngine } from '/work/main/src/engine/engine.ts';
import { loadExperiment } from '/work/main/src/config/load.ts';
import { loadImages } from '/work/main/src/data/loadImages.ts';
import { runNoiseStudy } from '/work/main/src/train/noiseStudy.ts';
await startEngine('native');
const e = await loadExperiment(undefined, ['objective=fit','data.source=photo','data.size=128','model.field.output=linear','train.steps=1000','train.points=1024','train.learningRate=0.002', ...process.argv.slice(2)]);
const set = await loadImages(e.data);
const values = Float32Array.from(set.pixels, v=>v/255);
const t=performance.now();
const [g]=await runNoiseStudy({image:{name:'p',width:128,height:128,values},experiment:e,encodings:[{kind:'gaussian',frequencies:64,sigma:10}],sigmas:[.05,.1,.2],draws:8,optimizer:'adam',impulses:4,impulseAmplitude:.5});
console.log(((performance.now()-t)/1000).toFixed(1),'s');
for(const l of g.levels){console.log(l.sigma); for(const s of l.trajectory)console.log(s.step,s.psnrCleanDb.toFixed(2),s.psnrNoisyDb.toFixed(2),s.bands.map(b=>`${b.name} T${b.transfer.toFixed(2)} G${b.noiseGain.toFixed(3)}[${b.noiseGainLow.toFixed(3)},${b.noiseGainHigh.toFixed(3)}] C${b.noiseCopy.toFixed(3)}`).slice(-3).join(' | '))}
console.log(g.cleanPsnrDb, g.impulses);
