/** Chladni as a library: `import { … } from 'chladni'`. */
export { formatExperiment, loadExperiment } from './config/load.ts';
export type { Plugin, PluginTools } from './config/plugins.ts';
export type { Experiment, TrainConfig } from './config/schema.ts';
export type { ImageAttributes, ImageSet } from './data/imageSet.ts';
export { type LoadOptions, loadImages, type Part } from './data/loadImages.ts';
export type { DataConfig } from './data/schema.ts';
export { ENGINE_NAMES, startEngine } from './engine/engine.ts';
export { RunError, UsageError } from './errors.ts';
export { evaluateReconstruction } from './eval/run/reconstruction.ts';
export { fullView, pixelCentres, type View } from './grid.ts';
export { evaluateImageSets } from './metrics/imageSets.ts';
export type { Draws, Found, ImageSets, Measured, Metric } from './metrics/metric.ts';
export { NoiseDraws, noiseByBand } from './metrics/noiseResponse.ts';
export { PairedImages } from './metrics/pairedImages.ts';
export { bandFidelity, PairedSpectrum } from './metrics/pairedSpectrum.ts';
export { meanSquaredError, psnrOfMse, summarizePsnr } from './metrics/psnr.ts';
export { addMetric, metricNames } from './metrics/registry.ts';
export type { EvaluationResult, Finding } from './metrics/result.ts';
export { compareSpectra } from './metrics/setSpectra.ts';
export { octavePartition, ringPartition } from './metrics/signal/bands.ts';
export { fft2, inverseFft2 } from './metrics/signal/fft.ts';
export type { ImageStack } from './metrics/signal/imageStack.ts';
export { multiScaleSsim, ssim } from './metrics/ssim.ts';
export { type Encoding, gridEncoder } from './models/encodings/encoding.ts';
export { makeEncoding } from './models/encodings/registry.ts';
export {
  fieldWeights,
  type Generator,
  generate,
  initGenerator,
  type ModelConfig,
  makeGenerator,
} from './models/generator.ts';
export type { Parameters } from './models/parameters.ts';
export { isClosedForm } from './models/priors/prior.ts';
export { PRIORS } from './models/priors/registry.ts';
export { type FieldSpec, type FieldWeights, fieldForward, fieldLoss } from './ops/field.ts';
export { Random } from './random.ts';
export { contactSheet } from './render/contactSheet.ts';
export { type DrawableField, disposeFields, selectFields, withFields } from './render/drawableField.ts';
export { writeImage } from './render/imageFile.ts';
export { interpolateLatents, lerp, slerp } from './render/interpolation.ts';
export { choosePrior, imageFields, imageLatents, latentFields, type Model, sampleLatents } from './render/model.ts';
export { reconstructionPsnrs } from './render/reconstructions.ts';
export { renderImage, renderImages, renderRows, renderScanlines } from './render/render.ts';
export { disposeModel, type OpenedModel, openModel } from './run/openModel.ts';
export { RunFolder } from './run/runFolder.ts';
export { EventWriter } from './run/tensorboard/eventWriter.ts';
export { type Scalar, type Tensor, type Tensor1D, type Tensor2D, type Tensor3D, tf } from './tf.ts';
export { type SessionOptions, trainSession } from './train/session.ts';
