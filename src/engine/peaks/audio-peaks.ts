/** Where the peaks of streams and songs come from. */
import { open } from "node:fs/promises";
import { verifiedAtOnceBytes } from "../../base/limits/audio-http.ts";
import { WavecacheError } from "../../base/errors.ts";
import type { Peaks } from "../../codec/peaks/dat.ts";
import type { FileRef } from "../../pool/reader.ts";
import type { CacheLayout } from "../../store/layout.ts";
import type { OpenedFile } from "../../store/library/file.ts";
import type { StreamPlaces, VerifyingReaders } from "../streams/stream-audio.ts";
import type { SoundFile, SoundPeaks } from "./sound-peaks.ts";

/** The part of the songs that is needed here. */
export interface SongFiles {
  openFile(name: string): Promise<{ file: OpenedFile }>;
}

export interface AudioPeaksParts {
  sounds: SoundPeaks;
  streams: StreamPlaces;
  songs: SongFiles;
  readers: VerifyingReaders;
  layout: CacheLayout;
}

export class AudioPeaks {
  readonly #parts: AudioPeaksParts;

  constructor(parts: AudioPeaksParts) {
    this.#parts = parts;
  }

  /** Sounds that are measured, or wait for it. */
  get jobs(): number {
    return this.#parts.sounds.jobs;
  }

  /** Rejects with STREAM_UNKNOWN, STREAM_UNFINISHED, OBJECT_DAMAGED, SOUND_UNREADABLE, PEAKS_EXHAUSTED and the like. */
  async ofStream(streamId: string, signal: AbortSignal): Promise<Peaks> {
    const { streams, sounds, layout } = this.#parts;
    const { sha256, size, file } = await streams.locate(streamId, Number.POSITIVE_INFINITY);
    if (sha256 === undefined) throw new WavecacheError("STREAM_UNFINISHED");
    const path = layout.streamPeaksPath(sha256);
    return await sounds.get(path, () => this.#openVerified(file, size), signal);
  }

  /** Rejects with SONG_UNKNOWN, SONG_CHANGED, SOUND_UNREADABLE, PEAKS_EXHAUSTED and the like. */
  async ofSong(name: string, signal: AbortSignal): Promise<Peaks> {
    const { songs, sounds, layout } = this.#parts;
    const { file } = await songs.openFile(name);
    let isTaken = false;
    const take = async (): Promise<SoundFile> => {
      isTaken = true;
      return file;
    };
    try {
      return await sounds.get(layout.songPeaksPath(file.key), take, signal);
    } finally {
      if (!isTaken) await file.close();
    }
  }

  /** The decoder reads what it gets: damage must be found before. */
  async #openVerified(file: FileRef, size: number): Promise<SoundFile> {
    const { readers } = this.#parts;
    const reader = readers.assign();
    let { path } = file;
    for (let at = 0; at < size; at += verifiedAtOnceBytes) {
      const length = Math.min(verifiedAtOnceBytes, size - at);
      ({ path } = await readers.bring(file, at, length));
      await reader.verify(path, at, length);
    }
    const handle = await open(path, "r");
    return { descriptor: handle.fd, size, close: () => handle.close() };
  }
}
