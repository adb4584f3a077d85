/**
 * TensorBoard event files, written without TensorFlow: TFRecords of `Event` messages
 * (tensorflow/core/util/event.proto).
 */
import { readdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { AppendFile } from '../../files/appendFile.ts';
import { fileError } from '../../files/fileErrors.ts';
import { makeFolder } from '../../files/makeFolder.ts';
import {
  experimentValue,
  type Hyperparameters,
  type SESSION_STATUS,
  sessionEndValue,
  sessionStartValue,
} from './hparams.ts';
import { bytesField, concatenate, doubleField, integerField, messageField, stringField } from './protobuf.ts';
import { histogramValue, imageValue, layoutValue, type ScalarLayout, scalarValue, textValue } from './summaries.ts';
import { encodeRecord } from './tfRecord.ts';

const FLUSH_BYTES = 256 * 1024;
const FLUSH_SECONDS = 5;
const SESSION_START = 1;

/** Tells the files that one process opens apart. */
let filesOpened = 0;

/** Readers take a run's files in the order of their names, so a new one's seconds are later than every other's. */
async function newFileName(folder: string): Promise<string> {
  let seconds = Math.floor(Date.now() / 1000);
  for (const name of await readdir(folder)) {
    const stamp = /^events\.out\.tfevents\.(\d{10})\./.exec(name);
    if (stamp) seconds = Math.max(seconds, Number(stamp[1]) + 1);
  }
  const host = hostname().replace(/[^\w-]/g, '-') || 'localhost';
  return `events.out.tfevents.${String(seconds).padStart(10, '0')}.${host}.${process.pid}.${filesOpened++}`;
}

/**
 * Writes one event file. Calls put records into a buffer, which is handed to the operating system whole, when it has
 * grown, when some seconds have passed, and on `flush`: a killed process loses at most the buffer, and readers ignore
 * an incomplete last record. Every call throws RunError where the disk is full or the folder gone.
 */
export class EventWriter {
  private buffer: Uint8Array[] = [];
  private bufferedBytes = 0;
  private lastFlush = performance.now();

  private constructor(private readonly file: AppendFile) {}

  /**
   * Opens a new event file in `folder`, which is created where needed.
   *
   * @param options.startStep the step of the checkpoint from which a run resumes: readers then drop what earlier files
   *   of the folder hold of later steps. Leave it out for a new run.
   * @throws RunError where the folder can't be written.
   */
  static async open(folder: string, { startStep }: { startStep?: number } = {}): Promise<EventWriter> {
    try {
      await makeFolder(folder);
      const writer = new EventWriter(AppendFile.open(join(folder, await newFileName(folder)), { mustBeNew: true }));
      writer.event(0, stringField(3, 'brain.Event:2'));
      // Readers drop steps from the START event's own on, and do so from the second START in a folder on; so the first
      // file has one too.
      writer.event(startStep === undefined ? 0 : startStep + 1, messageField(7, integerField(1, SESSION_START)));
      writer.flush();
      return writer;
    } catch (error) {
      throw fileError('write event files in', folder, error);
    }
  }

  /** The file being written. */
  get path(): string {
    return this.file.path;
  }

  scalar(tag: string, value: number, step: number): void {
    this.summary(step, scalarValue(tag, value));
  }

  /** Several scalars of one step, by tag. */
  scalars(values: Readonly<Record<string, number>>, step: number): void {
    this.summary(step, ...Object.entries(values).map(([tag, value]) => scalarValue(tag, value)));
  }

  /** @param width of the image in pixels; `height` likewise. */
  image(tag: string, png: Uint8Array, width: number, height: number, step: number): void {
    this.summary(step, imageValue(tag, png, width, height));
  }

  /** The distribution of the finite ones among `values`, in `buckets` equal intervals (30 unless told). */
  histogram(tag: string, values: ArrayLike<number>, step: number, { buckets }: { buckets?: number } = {}): void {
    this.summary(step, histogramValue(tag, values, buckets));
  }

  text(tag: string, markdown: string, step: number): void {
    this.summary(step, textValue(tag, markdown));
  }

  /**
   * The hyperparameters of this run.
   *
   * @param metrics scalar tags that the dashboard lists. Of several runs, TensorBoard takes the declaration of *one*,
   *   its hyperparameters included. Give none, and it collects the hyperparameters and scalars of all runs itself:
   *   better where runs differ in which hyperparameters they have.
   */
  hparams(hparams: Hyperparameters, metrics: readonly string[]): void {
    const seconds = Date.now() / 1000;
    if (metrics.length > 0) this.summary(0, experimentValue(hparams, metrics, seconds));
    this.summary(0, sessionStartValue(hparams, seconds));
  }

  /** How the run ended. Only for a run that will not be resumed: readers keep the first such record of a folder. */
  sessionEnd(status: keyof typeof SESSION_STATUS): void {
    this.summary(0, sessionEndValue(status, Date.now() / 1000));
  }

  /**
   * Groups scalars into charts with several lines each: category → chart title → tags. A tag is a regular expression
   * that has to match from the start of the tag; shown under "Custom scalars".
   */
  customScalars(layout: ScalarLayout): void {
    this.summary(0, layoutValue(layout));
  }

  /** Hands all records to the operating system. */
  flush(): void {
    this.lastFlush = performance.now();
    if (this.bufferedBytes === 0) return;
    this.file.append(concatenate(...this.buffer));
    this.buffer = [];
    this.bufferedBytes = 0;
  }

  /** Flushes, syncs to the disk and closes. A second call does nothing. */
  close(): void {
    try {
      this.flush();
    } finally {
      this.file.close();
    }
  }

  private summary(step: number, ...values: readonly Uint8Array[]): void {
    this.event(step, messageField(5, ...values.map((value) => bytesField(1, value))));
  }

  private event(step: number, what: Uint8Array): void {
    const bytes = encodeRecord(concatenate(doubleField(1, Date.now() / 1000), integerField(2, step), what));
    this.buffer.push(bytes);
    this.bufferedBytes += bytes.length;
    const seconds = (performance.now() - this.lastFlush) / 1000;
    if (this.bufferedBytes >= FLUSH_BYTES || seconds >= FLUSH_SECONDS) this.flush();
  }
}
