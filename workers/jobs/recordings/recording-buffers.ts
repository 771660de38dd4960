/** The frames and the samples of one recording in memory: until they are written, and for live listeners. */
import {
  liveHistoryMs,
  maxLiveHistoryBytes,
  recordingFlushBytes,
  recordingFlushMs,
  recordingTickMs,
} from "../../../src/base/limits/recordings.ts";
import { AppendBuffer } from "../../../src/store/recordings/append-buffer.ts";
import type { Segment, WavShape } from "../../../src/store/recordings/segment.ts";

const pageBytes = 4096;
const maxBufferBytes = 2 * recordingFlushBytes;

export class RecordingBuffers {
  readonly bin: AppendBuffer;
  readonly wav: AppendBuffer;
  readonly #historyBytes: number;
  /** More unwritten bytes than this are flushed early, before the buffer would have to grow. */
  readonly #maxBinBytes: number;
  readonly #maxWavBytes: number;

  /** `binShare`: bytes of the frames for each byte of the samples. */
  constructor({ sampleRate, channels }: WavShape, binShare: number) {
    const frameBytes = 2 * channels;
    const historySamples = Math.min(
      Math.ceil((sampleRate * liveHistoryMs) / 1000),
      Math.floor(maxLiveHistoryBytes / frameBytes),
    );
    this.#historyBytes = historySamples * frameBytes;
    const bytesPerSecond = sampleRate * frameBytes;
    const wavBytes = bufferBytes(bytesPerSecond, this.#historyBytes);
    const binBytes = bufferBytes(bytesPerSecond * binShare, 0);
    this.wav = new AppendBuffer(wavBytes);
    this.bin = new AppendBuffer(binBytes);
    this.#maxWavBytes = wavBytes - wavBytes / 8 - this.#historyBytes;
    this.#maxBinBytes = binBytes - binBytes / 8;
  }

  get isFull(): boolean {
    return this.wav.unwrittenBytes > this.#maxWavBytes || this.bin.unwrittenBytes > this.#maxBinBytes;
  }

  get unwrittenBytes(): number {
    return this.bin.unwrittenBytes + this.wav.unwrittenBytes;
  }

  /** Bytes of the newest samples for a live listener, at the end of `wav`. */
  get recentBytes(): number {
    return Math.min(this.#historyBytes, this.wav.fill);
  }

  /** Writes all. Keeps this many bytes of the frames in memory. Throws the system's error. */
  flush(segment: Segment, keptBinBytes: number): void {
    segment.append(this.bin, this.wav);
    this.bin.markWritten(keptBinBytes);
    this.wav.markWritten(this.#historyBytes);
  }
}

/** A buffer, in whole pages, for what arrives between two flushes besides the `keptBytes`. */
function bufferBytes(bytesPerSecond: number, keptBytes: number): number {
  const neededBytes = keptBytes + (bytesPerSecond * (recordingFlushMs + recordingTickMs)) / 1000;
  return Math.min(maxBufferBytes, Math.ceil(neededBytes / pageBytes) * pageBytes);
}
