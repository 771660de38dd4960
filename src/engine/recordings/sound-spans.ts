/**
 * When devices sound, and when they are silent. Each recording has one span at a time, which ends with the next. Spans go
 * to the catalog with the next sync of recordings: one that begins has no end there yet.
 */
import { maxUnsavedSpans } from "../../base/limits/peaks.ts";
import type { RateLimitedLog } from "../../base/log/rate-limited-log.ts";
import type { KeeperClient } from "../../pool/keeper-client.ts";
import type { SoundNews } from "../../lane/messages/recordings.ts";
import type { SoundSpan } from "../../store/recordings/sounds/catalog.ts";

/** `audio.active` is sound after silence. */
export type SoundEventKind = "audio.silent" | "audio.active" | "audio.clipping";

export interface SoundEvent {
  kind: SoundEventKind;
  /** The sanitised hardware id; null if the device did not send one. */
  device: string | null;
  streamId: number;
  /** In ms since 1970. */
  at: number;
}

export type SoundListener = (event: SoundEvent) => void;

/** A recording, as far as its spans are concerned. */
export interface SoundingRecording {
  readonly hwid: string | null;
  readonly handshake: { readonly streamId: number };
}

/** The part of the keeper that is needed here. */
export type SpanKeeper = Pick<KeeperClient, "call">;

export class SoundSpans {
  readonly #open = new Map<SoundingRecording, SoundSpan>();
  /** The latest state of spans that are not saved yet, in the order of their changes. */
  #unsaved = new Set<SoundSpan>();
  readonly #listeners = new Set<SoundListener>();
  readonly #keeper: SpanKeeper;
  readonly #log: RateLimitedLog;

  constructor(keeper: SpanKeeper, log: RateLimitedLog) {
    this.#keeper = keeper;
    this.#log = log;
  }

  /** Spans that are not in the catalog yet. */
  get unsaved(): number {
    return this.#unsaved.size;
  }

  /** Calls `listener` for each event until the result is called. */
  subscribe(listener: SoundListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  change(recording: SoundingRecording, { kind, at }: SoundNews): void {
    if (kind === "clipping") return this.#emit("audio.clipping", recording, at);
    const before = this.#open.get(recording)?.kind;
    this.#end(recording, at);
    if (kind === "end") return;
    const { hwid: device, handshake } = recording;
    const span: SoundSpan = { device, streamId: handshake.streamId, kind, startedAt: at, endedAt: null };
    this.#open.set(recording, span);
    this.#save(span);
    if (kind === "silence") return this.#emit("audio.silent", recording, at);
    if (before === "silence") this.#emit("audio.active", recording, at);
  }

  /** The recording is over, perhaps without news of its end. */
  release(recording: SoundingRecording, now: number): void {
    this.#end(recording, now);
  }

  /** Ends the spans that a crash has left open. Rejects with an error of the keeper. */
  async endAll(): Promise<void> {
    await this.#keeper.call("endSoundSpans", null);
  }

  /** Saves what has changed. Changes that cannot be saved now go with the next call. */
  async save(): Promise<void> {
    const spans = [...this.#unsaved];
    if (spans.length === 0) return;
    this.#unsaved.clear();
    try {
      await this.#keeper.call("saveSoundSpans", { spans });
    } catch (error) {
      const lost = this.#putBack(spans);
      this.#log.warn("sound and silence could not be noted in the catalog", { error, lost });
    }
  }

  /** Returns how many spans are lost because too many wait. */
  #putBack(spans: SoundSpan[]): number {
    const all = [...new Set([...spans, ...this.#unsaved])];
    const kept = all.slice(-maxUnsavedSpans);
    this.#unsaved = new Set(kept);
    return all.length - kept.length;
  }

  #end(recording: SoundingRecording, at: number): void {
    const span = this.#open.get(recording);
    if (span === undefined) return;
    this.#open.delete(recording);
    span.endedAt = Math.max(span.startedAt, at);
    this.#save(span);
  }

  #save(span: SoundSpan): void {
    this.#unsaved.add(span);
  }

  #emit(kind: SoundEventKind, { hwid, handshake }: SoundingRecording, at: number): void {
    for (const listener of this.#listeners) {
      listener({ kind, device: hwid, streamId: handshake.streamId, at });
    }
  }
}
