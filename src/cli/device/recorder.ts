/** Saves the sounds of a device as WAV files `ID_001.wav`, `ID_002.wav`, ... in a folder. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { encodeWavHeader } from "../../codec/wav/wav.ts";
import { systemCode } from "../../base/errors.ts";
import type { DeviceNotice } from "../../client/devices/device.ts";
import { SoundDecoder, soundSampleRate } from "../../client/devices/sound-decoder.ts";
import { fileError } from "../kit/failures.ts";
import { OutputFile } from "../kit/output-file.ts";
import type { SoundPlayer } from "../playback/sound-player.ts";

/** Replaces a packet that cannot be decoded: 20 ms, so that later audio keeps its time. */
const silence = new Int16Array(960);

export interface SavedSound {
  path: string;
  audioMs: number;
  /** Packets that are not valid Opus. */
  undecodable: number;
}

export interface RecorderOptions {
  deviceId: string;
  folder: string;
  /** Also plays the sounds. */
  player?: SoundPlayer | undefined;
  onSaved(sound: SavedSound): void;
}

/** One sound while it is written to its file and played. */
class SoundFile {
  readonly #decoder: SoundDecoder;
  readonly #output: OutputFile;
  readonly #player: SoundPlayer | undefined;
  #samples = 0;
  #undecodable = 0;

  private constructor(decoder: SoundDecoder, output: OutputFile, player: SoundPlayer | undefined) {
    this.#decoder = decoder;
    this.#output = output;
    this.#player = player;
  }

  static async open(path: string, player: SoundPlayer | undefined): Promise<SoundFile> {
    const decoder = await SoundDecoder.open();
    const output = await OutputFile.create(path);
    output.write(encodeWavHeader(soundSampleRate, 1, 0));
    player?.begin();
    return new SoundFile(decoder, output, player);
  }

  add(packet: Uint8Array): void {
    const decoded = this.#decoder.decode(packet);
    if (decoded === undefined) this.#undecodable++;
    const samples = decoded ?? silence;
    const bytes = new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);
    this.#samples += samples.length;
    this.#output.write(bytes);
    this.#player?.write(bytes);
  }

  async end(): Promise<SavedSound> {
    this.#decoder.close();
    this.#player?.end();
    this.#output.rewrite(0, encodeWavHeader(soundSampleRate, 1, 2 * this.#samples));
    await this.#output.commit();
    const audioMs = (this.#samples * 1000) / soundSampleRate;
    return { path: this.#output.path, audioMs, undecodable: this.#undecodable };
  }

  discard(): Promise<void> {
    return this.#output.discard();
  }
}

export class SoundRecorder {
  readonly #options: RecorderOptions;
  /** Runs the steps in order: packets arrive while the file of their sound is still being opened. */
  #work: Promise<void> = Promise.resolve();
  #failure: { error: unknown } | undefined;
  #file: SoundFile | undefined;
  /** Number of the next file; undefined before the folder is read. */
  #nextNumber: number | undefined;

  constructor(options: RecorderOptions) {
    this.#options = options;
  }

  /** Ignores notices that are not about sounds. */
  add(notice: DeviceNotice): void {
    if (notice.type === "sound-start") this.#enqueue(() => this.#begin());
    else if (notice.type === "packet") this.#enqueue(() => this.#file?.add(notice.data));
    else if (notice.type === "sound-end") this.#enqueue(() => this.#end());
  }

  /** Resolves when all files are written; throws the first error since the start. */
  async finish(): Promise<void> {
    await this.#work;
    await this.#file?.discard();
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  #enqueue(step: () => void | Promise<void>): void {
    this.#work = this.#work.then(async () => {
      if (this.#failure !== undefined) return;
      try {
        await step();
      } catch (error) {
        this.#failure = { error };
      }
    });
  }

  async #begin(): Promise<void> {
    const { folder, deviceId, player } = this.#options;
    const stem = fileStem(deviceId);
    this.#nextNumber ??= await firstFreeNumber(folder, stem);
    const path = join(folder, `${stem}_${String(this.#nextNumber++).padStart(3, "0")}.wav`);
    this.#file = await SoundFile.open(path, player);
  }

  async #end(): Promise<void> {
    const saved = await this.#file?.end();
    this.#file = undefined;
    if (saved !== undefined) this.#options.onSaved(saved);
  }
}

/** Device ids may contain colons, which some file systems forbid. */
function fileStem(deviceId: string): string {
  return deviceId.replaceAll(":", "_");
}

/** The number after the highest one in the folder, so that no earlier file is overwritten. */
async function firstFreeNumber(folder: string, stem: string): Promise<number> {
  let last = 0;
  for (const name of await namesIn(folder)) {
    const digits = name.startsWith(`${stem}_`)
      ? /^(\d{3,9})\.wav$/.exec(name.slice(stem.length + 1))?.[1]
      : undefined;
    last = Math.max(last, Number(digits ?? 0));
  }
  return last + 1;
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return [];
    throw fileError(folder, error);
  }
}
