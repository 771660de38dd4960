/**
 * The thread that encodes sounds: some at once, a step of each in turn, so that a short one need not wait for a long
 * one and a cancelled one ends soon.
 */
import { dirname } from "node:path";
import { errorNumber, toWavecacheError, WavecacheError } from "../src/base/errors.ts";
import { failpoint } from "../src/base/failpoint.ts";
import { maxEncodings, maxSoundCacheBytes } from "../src/base/limits/sounds.ts";
import { SoundWriter, trimStoredSounds } from "../src/store/sounds/stored-sound.ts";
import type { EncodeEnd, EncoderReply, EncoderRequest } from "../src/store/sounds/encoder-calls.ts";
import { packetsOf } from "./jobs/sound-packets.ts";
import { SoundSourceFile } from "./jobs/sound-source-file.ts";

declare const self: {
  onmessage: ((event: { data: EncoderRequest }) => void) | null;
  postMessage(message: EncoderReply, transfer?: ArrayBuffer[]): void;
};

type EncodeRequest = Extract<EncoderRequest, { kind: "encode" }>;

const waiting: EncodeRequest[] = [];
const running = new Set<number>();
const cancelled = new Set<number>();
let isFirst = true;

// The decoders print on the console what they return as errors too.
// oxlint-disable-next-line no-console
console.error = () => {};

self.onmessage = ({ data }) => {
  if (data.kind === "encode") {
    waiting.push(data);
    startNext();
  } else if (data.kind === "cancel") {
    cancel(data.id);
  } else {
    for (const { id } of waiting.splice(0)) end(id, { kind: "cancelled" });
    for (const id of running) cancelled.add(id);
    self.onmessage = null;
  }
};

function cancel(id: number): void {
  const at = waiting.findIndex((request) => request.id === id);
  if (at >= 0) {
    waiting.splice(at, 1);
    end(id, { kind: "cancelled" });
  } else if (running.has(id)) {
    cancelled.add(id);
  }
}

function startNext(): void {
  while (running.size < maxEncodings) {
    const request = waiting.shift();
    if (request === undefined) return;
    running.add(request.id);
    void run(request);
  }
}

async function run(request: EncodeRequest): Promise<void> {
  let result: EncodeEnd;
  try {
    result = await encode(request);
  } catch (error) {
    const known = toSoundError(error);
    result = { kind: "failed", errorNumber: errorNumber(known.code), detail: known.detail ?? "" };
  }
  running.delete(request.id);
  cancelled.delete(request.id);
  end(request.id, result);
  startNext();
}

/** What a decoder or a parser throws is about the sound, other errors about the system. */
function toSoundError(error: unknown): WavecacheError {
  if (error instanceof WavecacheError) return error;
  if (error instanceof Error && !("code" in error)) {
    return new WavecacheError("SOUND_UNREADABLE", error.message);
  }
  return toWavecacheError(error);
}

async function encode({ id, descriptor, size, storePath }: EncodeRequest): Promise<EncodeEnd> {
  const source = new SoundSourceFile(descriptor, size);
  const store = new Store(storePath, id);
  try {
    for await (const packets of packetsOf(source)) {
      failpoint("sound.encode");
      if (cancelled.has(id)) return { kind: "cancelled" };
      store.append(packets);
      post(id, packets);
      // Messages that have come meanwhile, and other sounds, have their turn.
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    if (cancelled.has(id)) return { kind: "cancelled" };
    store.finish(source.isUnchanged);
    return { kind: "complete", storeProblem: store.problem };
  } finally {
    store.discard();
  }
}

/** Stores a sound if it can: a full disk is no reason not to play it. */
class Store {
  problem: string | undefined;
  readonly #path: string;
  #writer: SoundWriter | undefined;

  constructor(path: string, tag: number) {
    this.#path = path;
    this.#try(() => {
      trimStoredSounds(dirname(path), maxSoundCacheBytes, isFirst);
      isFirst = false;
      this.#writer = new SoundWriter(path, tag);
    });
  }

  append(packets: Uint8Array[]): void {
    this.#try(() => this.#writer?.append(packets));
  }

  /** `isTrue`: the packets are those of the source that they are stored for. */
  finish(isTrue: boolean): void {
    this.#try(() => {
      if (!isTrue) throw new WavecacheError("SONG_CHANGED");
      this.#writer?.finish();
      trimStoredSounds(dirname(this.#path), maxSoundCacheBytes, false);
    });
  }

  discard(): void {
    this.#writer?.discard();
    this.#writer = undefined;
  }

  #try(act: () => void): void {
    if (this.problem !== undefined) return;
    try {
      act();
    } catch (error) {
      this.problem = toWavecacheError(error).message;
      this.discard();
    }
  }
}

function post(id: number, packets: Uint8Array[]): void {
  const lengths = Uint16Array.from(packets, (packet) => packet.length);
  const bytes = new Uint8Array(packets.reduce((sum, packet) => sum + packet.length, 0));
  let at = 0;
  for (const packet of packets) {
    bytes.set(packet, at);
    at += packet.length;
  }
  self.postMessage({ kind: "packets", id, bytes, lengths }, [bytes.buffer, lengths.buffer]);
}

function end(id: number, result: EncodeEnd): void {
  self.postMessage({ kind: "ended", id, end: result });
}
