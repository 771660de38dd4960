/**
 * Reads what finished audio says of itself, one stream after the other, long after its upload was answered. The catalog
 * knows which streams are to be read, so nothing waits in memory, and a restart continues.
 */
import { toWavecacheError, WavecacheError } from "../../base/errors.ts";
import { readingPageStreams } from "../../base/limits/streams.ts";
import type { Log } from "../../base/log/log.ts";
import type { Encoders } from "../../pool/encoders.ts";
import type { KeeperClient } from "../../pool/keeper-client.ts";
import { type AudioFindings, noFindings } from "../../store/streams/audio-reading.ts";
import type { StreamRow } from "../../store/streams/catalog.ts";

export interface ReadingHost {
  keeper: Pick<KeeperClient, "call">;
  encoders: Pick<Encoders, "inspect">;
  /** The path of the whole audio. */
  whole(row: StreamRow): Promise<string>;
  /** A stream has other tags now. */
  changed(row: StreamRow): void;
}

export class AudioReadings {
  readonly #host: ReadingHost;
  readonly #log: Log;
  #isRunning = false;
  #isAsked = false;
  #isClosing = false;

  constructor(host: ReadingHost, log: Log) {
    this.#host = host;
    this.#log = log;
  }

  /** Call it when there may be streams to read. */
  start(): void {
    this.#isAsked = true;
    if (!this.#isRunning) void this.#run();
  }

  /** Waits for nothing: what is not read by now is read after the next start. */
  close(): void {
    this.#isClosing = true;
  }

  /** After a failure the streams wait for the next start. */
  async #run(): Promise<void> {
    this.#isRunning = true;
    try {
      while (this.#isAsked && !this.#isClosing) {
        this.#isAsked = false;
        await this.#readAll();
      }
    } catch (error) {
      if (!this.#isClosing) this.#log.warn("audio could not be read for its properties", { error });
    }
    this.#isRunning = false;
  }

  async #readAll(): Promise<void> {
    for (;;) {
      const rows = await this.#host.keeper.call("undescribed", { limit: readingPageStreams });
      for (const row of rows) {
        if (this.#isClosing) return;
        await this.#read(row);
      }
      if (rows.length < readingPageStreams) return;
    }
  }

  async #read(row: StreamRow): Promise<void> {
    const { streamId, key } = row;
    const { audio, tags } = await this.#findingsOf(row);
    if (this.#isClosing) return;
    try {
      this.#host.changed(await this.#host.keeper.call("change", { streamId, key, audio, tags }));
    } catch (error) {
      // It was removed meanwhile.
      if (toWavecacheError(error).code !== "STREAM_UNKNOWN") throw error;
    }
  }

  /** Audio that ends the thread says nothing, or it would end each new thread, too. */
  async #findingsOf(row: StreamRow): Promise<AudioFindings> {
    try {
      const path = await this.#host.whole(row);
      return await this.#host.encoders.inspect({ path, format: row.format! });
    } catch (error) {
      if (!(error instanceof WavecacheError) || error.code !== "WORKER_LOST" || this.#isClosing) throw error;
      return noFindings;
    }
  }
}
