/**
 * Sounds for devices: files of the library as Opus packets.
 *
 * A sound is encoded once for each version of its file. Its packets stay in memory while it plays, and after that until
 * others need the room; the cache folder keeps them across restarts. All players share the packets, and get each one as
 * soon as it is encoded.
 */
import { toWavecacheError, WavecacheError } from "../../base/errors.ts";
import { maxSoundBytes, maxSounds, soundAbandonMs } from "../../base/limits/sounds.ts";
import type { Log } from "../../base/log/log.ts";
import type { Encoding, EncodingEnd } from "../../pool/encoders.ts";
import type { EncodeTask } from "../../store/sounds/encoder-calls.ts";
import type { OpenedFile } from "../../store/library/file.ts";
import type { CacheLayout } from "../../store/layout.ts";
import { readStoredSound } from "../../store/sounds/stored-sound.ts";
import { SharedSound } from "./shared-sound.ts";
import type { Sound, SoundSource } from "./sound.ts";

/** For each mode, the file names to try in order. */
export type SoundNames = readonly (readonly string[])[];

const soundSuffixes = ["wav", "opus", "ogg", "mp3", "flac"];
/** `startup_mode` is the name in the folders of older servers. */
const soundStems = [["startup", "startup_mode"], ["mode_1"], ["mode_2"], ["mode_3"], ["mode_4"], ["mode_5"]];

/**
 * The default names are `startup.*`, or else `startup_mode.*`, and `mode_1.*` to `mode_5.*`; `overrides` replaces those
 * of some modes.
 */
export function soundNames(overrides: ReadonlyMap<number, string>): SoundNames {
  return soundStems.map((stems, mode) => {
    const override = overrides.get(mode);
    if (override !== undefined) return [override];
    return stems.flatMap((stem) => soundSuffixes.map((suffix) => `${stem}.${suffix}`));
  });
}

/** The part of the library that is needed here. */
export interface SoundFiles {
  find(name: string): Promise<OpenedFile | undefined>;
}

/** The part of the encoder pool that is needed here. */
export interface SoundEncoders {
  encode(task: EncodeTask, onPackets: (packets: Uint8Array[]) => void): Encoding;
}

export interface SoundSettings {
  names: SoundNames;
  layout: CacheLayout;
  /** Limit of the packets in memory; `maxSoundBytes` if it is not given. */
  maxBytes?: number;
  /** `soundAbandonMs` if it is not given. */
  abandonMs?: number;
}

/** A sound in memory, and the work that makes it. */
interface Entry {
  key: string;
  name: string;
  sound: SharedSound;
  encoding: Encoding | undefined;
  /** Runs while an incomplete sound has no player, and then abandons it. */
  abandonTimer: Timer | undefined;
  isAbandoned: boolean;
  /** Resolves when no work for the sound runs any more. */
  over: Promise<void>;
}

export class Sounds implements SoundSource {
  /** Sounds by the version of their file, the least recently used first. */
  readonly #entries = new Map<string, Entry>();
  readonly #files: SoundFiles;
  readonly #encoders: SoundEncoders;
  readonly #settings: SoundSettings;
  readonly #log: Log;
  #names: SoundNames;
  #isClosed = false;
  /** Memory that all packets take. */
  bytes = 0;
  /** Sounds that the encoder has started since the start of the server. */
  encoded = 0;
  /** Sounds that were loaded from the cache folder since the start of the server. */
  loaded = 0;

  constructor(files: SoundFiles, encoders: SoundEncoders, settings: SoundSettings, log: Log) {
    this.#files = files;
    this.#encoders = encoders;
    this.#settings = settings;
    this.#names = settings.names;
    this.#log = log;
  }

  /** Sounds that are opened from now on have these names. */
  useNames(names: SoundNames): void {
    this.#names = names;
  }

  /** Number of sounds in memory. */
  get count(): number {
    return this.#entries.size;
  }

  /** Rejects with SOUND_UNKNOWN, SOUNDS_EXHAUSTED, SHUTTING_DOWN. An unreadable file fails `waitBeyond` of the sound. */
  async open(mode: number): Promise<Sound> {
    const { name, file } = await this.#find(mode);
    const entry = this.#entries.get(file.key);
    if (entry === undefined) return await this.#begin(name, file);
    clearTimeout(entry.abandonTimer);
    const sound = entry.sound.open();
    await file.close();
    return sound;
  }

  /** Abandons incomplete sounds; their players fail with SHUTTING_DOWN. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const entries = [...this.#entries.values()];
    for (const entry of entries) this.#abandon(entry, new WavecacheError("SHUTTING_DOWN"));
    await Promise.all(entries.map((entry) => entry.over));
  }

  async #find(mode: number): Promise<{ name: string; file: OpenedFile }> {
    const names = this.#names[mode] ?? [];
    for (const name of names) {
      const file = await this.#files.find(name);
      if (file !== undefined) return { name, file };
    }
    throw new WavecacheError("SOUND_UNKNOWN", names.join(", ") || `mode ${mode}`);
  }

  /** Adds a sound, and closes the file when it is no longer needed. */
  async #begin(name: string, file: OpenedFile): Promise<Sound> {
    const refusal = this.#refusal();
    if (refusal !== undefined) {
      await file.close();
      throw refusal;
    }
    const sound = new SharedSound(() => this.#onUnused(entry));
    const entry: Entry = {
      key: file.key,
      name,
      sound,
      encoding: undefined,
      abandonTimer: undefined,
      isAbandoned: false,
      over: Promise.resolve(),
    };
    this.#entries.set(entry.key, entry);
    const opened = sound.open();
    entry.over = this.#make(entry, file).catch((error: unknown) => {
      this.#log.error("the file of a sound cannot be closed", { name, error });
    });
    return opened;
  }

  /** Returns why there is no room for another sound. */
  #refusal(): WavecacheError | undefined {
    if (this.#isClosed) return new WavecacheError("SHUTTING_DOWN");
    this.#makeRoom(1);
    const isFull = this.#entries.size >= maxSounds || this.bytes > this.#maxBytes;
    return isFull ? new WavecacheError("SOUNDS_EXHAUSTED") : undefined;
  }

  async #make(entry: Entry, file: OpenedFile): Promise<void> {
    try {
      if (!(await this.#load(entry))) await this.#encode(entry, file);
    } catch (error) {
      const { code, detail } = toWavecacheError(error);
      const named = new WavecacheError(code, detail === undefined ? entry.name : `${entry.name}: ${detail}`);
      // Players report the failure themselves. Without one, log it here.
      if (entry.sound.users === 0 && !entry.isAbandoned)
        this.#log.warn("a sound cannot be prepared", { code, error: named });
      this.#forget(entry, named);
    } finally {
      await file.close();
    }
  }

  /** Loads the packets from the cache folder. False: they have to be encoded. */
  async #load(entry: Entry): Promise<boolean> {
    const path = this.#settings.layout.soundPath(entry.key);
    const found = await readStoredSound(path, (packets) => this.#add(entry, packets)).catch(
      (error: unknown) => toWavecacheError(error).message,
    );
    if (found === "missing") return false;
    if (found !== "read") {
      this.#log.warn("the stored packets of a sound cannot be used", { name: entry.name, reason: found });
      return false;
    }
    this.loaded += 1;
    this.#complete(entry);
    return true;
  }

  async #encode(entry: Entry, file: OpenedFile): Promise<void> {
    if (entry.isAbandoned) return;
    const startedMs = performance.now();
    this.encoded += 1;
    const storePath = this.#settings.layout.soundPath(entry.key);
    const task = { descriptor: file.descriptor, size: file.size, storePath };
    entry.encoding = this.#encoders.encode(task, (packets) => this.#add(entry, packets));
    const end = await entry.encoding.ended;
    entry.encoding = undefined;
    if (end.kind === "cancelled") return;
    this.#complete(entry);
    this.#report(entry, end, performance.now() - startedMs);
  }

  #report(entry: Entry, end: Exclude<EncodingEnd, { kind: "cancelled" }>, tookMs: number): void {
    const { name, sound } = entry;
    const seconds = (sound.packets.length * 0.02).toFixed(1);
    this.#log.info("encoded a sound", { name, seconds, tookMs: Math.round(tookMs) });
    if (end.storeProblem !== undefined)
      this.#log.warn("a sound is not stored", { name, reason: end.storeProblem });
  }

  #add(entry: Entry, packets: readonly Uint8Array[]): void {
    if (entry.isAbandoned) return;
    const before = entry.sound.bytes;
    entry.sound.add(packets);
    this.bytes += entry.sound.bytes - before;
    this.#makeRoom(0);
  }

  #complete(entry: Entry): void {
    if (entry.isAbandoned) return;
    clearTimeout(entry.abandonTimer);
    entry.sound.complete();
    this.#makeRoom(0);
  }

  #onUnused(entry: Entry): void {
    if (this.#entries.get(entry.key) !== entry) return;
    if (entry.sound.isComplete) {
      this.#entries.delete(entry.key);
      this.#entries.set(entry.key, entry);
      this.#makeRoom(0);
    } else {
      entry.abandonTimer = setTimeout(
        () => this.#abandon(entry, new WavecacheError("SHUTTING_DOWN")),
        this.#settings.abandonMs ?? soundAbandonMs,
      );
    }
  }

  /** Gives up an incomplete sound. */
  #abandon(entry: Entry, reason: WavecacheError): void {
    clearTimeout(entry.abandonTimer);
    if (entry.sound.isComplete) return;
    entry.isAbandoned = true;
    entry.encoding?.cancel();
    this.#forget(entry, reason);
  }

  #forget(entry: Entry, reason: WavecacheError): void {
    clearTimeout(entry.abandonTimer);
    entry.sound.fail(reason);
    if (this.#entries.get(entry.key) !== entry) return;
    this.#entries.delete(entry.key);
    this.bytes -= entry.sound.bytes;
  }

  /** Evicts sounds without a player, the least recently used first, until `newSounds` more fit. */
  #makeRoom(newSounds: number): void {
    for (const entry of this.#entries.values()) {
      if (this.#entries.size + newSounds <= maxSounds && this.bytes <= this.#maxBytes) return;
      if (entry.sound.users > 0 || !entry.sound.isComplete) continue;
      this.#entries.delete(entry.key);
      this.bytes -= entry.sound.bytes;
    }
  }

  get #maxBytes(): number {
    return this.#settings.maxBytes ?? maxSoundBytes;
  }
}
