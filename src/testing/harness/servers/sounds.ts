/** A library of sounds with its encoding threads and cache, in a temporary folder. */
import { mkdirSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Fields, Log } from "../../../base/log/log.ts";
import { type SoundSettings, soundNames, Sounds } from "../../../engine/sounds/sounds.ts";
import type { Sound } from "../../../engine/sounds/sound.ts";
import { Encoders } from "../../../pool/encoders.ts";
import { CacheLayout } from "../../../store/layout.ts";
import { Library } from "../../../store/library/library.ts";
import { testLimitMs, within } from "../until.ts";
import { temporaryFolder } from "../../fixtures/temporary-folder.ts";

/** A line with its fields, which may hold errors. */
function lineOf(message: string, fields: Fields = {}): string {
  return [message, ...Object.values(fields).map(String)].join(" ");
}

/** Keeps warnings and errors. */
export class WarningLog implements Log {
  readonly lines: string[] = [];
  debug(): void {}
  info(): void {}
  warn(message: string, fields?: Fields): void {
    this.lines.push(lineOf(message, fields));
  }
  error(message: string, fields?: Fields): void {
    this.lines.push(lineOf(message, fields));
  }
}

export class TestSounds implements AsyncDisposable {
  readonly log = new WarningLog();
  readonly #folder = temporaryFolder();
  readonly #layout = new CacheLayout(join(this.#folder.path, "cache"));
  readonly #encoders = new Encoders({
    entry: new URL("../../../../workers/encode.ts", import.meta.url),
    onLost: (reason) => this.log.error(reason),
  });
  #library: Library | undefined;
  #made: Sounds[] = [];
  #replaced = 0;

  /** Opens the sounds as a newly started server does. */
  async start(settings: Partial<SoundSettings> = {}): Promise<Sounds> {
    this.#library ??= await Library.open(join(this.#folder.path, "library"), this.log);
    const all = { names: soundNames(new Map()), layout: this.#layout, ...settings };
    const sounds = new Sounds(this.#library, this.#encoders, all, this.log);
    this.#made.push(sounds);
    return sounds;
  }

  /** Adds or replaces a file of the library. */
  put(name: string, bytes: Uint8Array): void {
    const path = this.pathOf(name);
    mkdirSync(join(path, ".."), { recursive: true });
    const temporary = `${path}.${this.#replaced++}`;
    writeFileSync(temporary, bytes);
    renameSync(temporary, path);
  }

  pathOf(name: string): string {
    return join(this.#folder.path, "library", name);
  }

  /** Paths of the stored sounds. */
  stored(): string[] {
    try {
      return readdirSync(this.#layout.sounds).map((name) => join(this.#layout.sounds, name));
    } catch {
      return [];
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const sounds of this.#made) await sounds.close();
    await this.#encoders.close();
    this.#library?.close();
    this.#folder[Symbol.dispose]();
  }
}

/** All packets of a sound, which it then releases. */
export async function packetsOfSound(sound: Sound): Promise<Uint8Array[]> {
  try {
    while (!sound.isComplete) {
      await within("more of a sound", testLimitMs / 2, sound.waitBeyond(sound.packets.length));
    }
    return [...sound.packets];
  } finally {
    sound.release();
  }
}
