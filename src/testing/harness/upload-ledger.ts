/**
 * What a test has uploaded, which acknowledgements it received, and whether the server agrees. The ledger outlives the
 * server, so it can check the server after a crash.
 */
import { AudioCachePeer, freshId } from "./peers/audio-cache.ts";
import { type Random, sha256 } from "./bytes.ts";
import { debrisAfterCheck } from "./cache-folder.ts";
import type { TestServer } from "./server.ts";
import { listStreams, removeStream, type StreamInfo } from "./http/streams.ts";

export interface Upload {
  id: string;
  audio: Uint8Array;
  sha256: string;
  /** Before this, the server must not finish the stream; after it, the server may at any time. */
  stopSent: boolean;
  /** STOPPED has arrived: from here on the stream must exist, whatever happens. */
  acknowledged: boolean;
  /** After a removal was requested the stream may be gone; after its confirmation it must be. */
  removal: "none" | "asked" | "confirmed";
}

export class UploadLedger {
  readonly uploads = new Map<string, Upload>();
  private readonly random: Random;

  constructor(random: Random) {
    this.random = random;
  }

  /** A new upload of random size; one in five repeats the audio of an earlier upload. */
  newUpload(): Upload {
    const audio = this.random.chance(20) ? this.audioOfAnother() : undefined;
    const bytes = audio ?? this.random.bytes(this.random.pick([0, 1, 5000, 100_000, 400_000]));
    const id = freshId("ledger");
    const upload: Upload = {
      id,
      audio: bytes,
      sha256: sha256(bytes),
      stopSent: false,
      acknowledged: false,
      removal: "none",
    };
    this.uploads.set(id, upload);
    return upload;
  }

  private audioOfAnother(): Uint8Array | undefined {
    return this.uploads.size === 0 ? undefined : this.random.pick([...this.uploads.values()]).audio;
  }

  /** Completes an upload from any state up to its acknowledgement, with resume. */
  async run(peer: AudioCachePeer, upload: Upload): Promise<void> {
    const offset = await peer.resume(upload.id);
    for (const piece of this.random.pieces(upload.audio.subarray(offset), 60_000)) {
      peer.socket.binary(piece);
      await peer.socket.flush();
    }
    upload.stopSent = true;
    const stopped = await peer.stop(upload.id);
    if (stopped.size !== upload.audio.length || stopped.sha256 !== upload.sha256) {
      throw new Error(`${stopped.text} is not the acknowledgement of ${describe(upload)}`);
    }
    upload.acknowledged = true;
  }

  /** Removes one of the streams that must exist. */
  async removeOne(server: TestServer): Promise<void> {
    const upload = this.random.pick(this.kept);
    upload.removal = "asked";
    const status = await removeStream(server.httpBase, upload.id);
    if (status !== 204) throw new Error(`removal of ${describe(upload)} failed with status ${status}`);
    upload.removal = "confirmed";
  }

  /** The uploads that must exist, whatever happens. */
  get kept(): Upload[] {
    return this.acknowledged.filter((upload) => upload.removal === "none");
  }

  get acknowledged(): Upload[] {
    return [...this.uploads.values()].filter((upload) => upload.acknowledged);
  }

  get unacknowledged(): Upload[] {
    return [...this.uploads.values()].filter((upload) => !upload.acknowledged);
  }

  /** The differences between the server and this ledger, one line each. */
  async faults(server: TestServer): Promise<string[]> {
    const listed = await listStreams(server.httpBase);
    const faults = listed.map((stream) => this.faultOf(stream)).filter((fault) => fault !== undefined);
    const finished = new Set(
      listed.filter((stream) => stream.state === "finished").map((stream) => stream.streamId),
    );
    for (const upload of this.kept) {
      if (!finished.has(upload.id)) faults.push(`acknowledged, but not finished: ${describe(upload)}`);
    }
    return [...faults, ...(await debrisAfterCheck(server.cacheDir, server.httpBase))];
  }

  private faultOf(stream: StreamInfo): string | undefined {
    const upload = this.uploads.get(stream.streamId);
    const shown = JSON.stringify(stream);
    if (upload === undefined) return `a stream that was never sent: ${shown}`;
    if (upload.removal === "confirmed") return `removed, but it exists again: ${shown}`;
    if (stream.state === "unfinished") {
      return stream.size <= upload.audio.length ? undefined : `longer than the audio sent: ${shown}`;
    }
    if (!upload.stopSent) return `finished without a STOP: ${shown}`;
    const isWhole = stream.size === upload.audio.length && stream.sha256 === upload.sha256;
    return isWhole ? undefined : `finished, but not ${describe(upload)}: ${shown}`;
  }

  /** Downloads these uploads and returns those whose bytes differ, one line each. */
  async unreadable(peer: AudioCachePeer, uploads: Upload[]): Promise<string[]> {
    const faults: string[] = [];
    for (const upload of uploads) {
      const whole = await peer.download(upload.id, upload.audio.length, 256 * 1024);
      if (sha256(whole) !== upload.sha256) faults.push(`audio differs: ${describe(upload)}`);
    }
    return faults;
  }
}

function describe(upload: Upload): string {
  return `${upload.id} of ${upload.audio.length} bytes, SHA-256 ${upload.sha256}`;
}
