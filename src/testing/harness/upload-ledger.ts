/**
 * What a test has uploaded, which acknowledgements it received, and whether the server agrees. The ledger outlives the
 * server, so it can check the server after a crash.
 */
import { AudioCachePeer, freshId } from "./peers/audio-cache.ts";
import type { V1Peer } from "./peers/v1.ts";
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
  /** STOPPED or END has arrived: from here on the stream must exist, whatever happens. */
  acknowledged: boolean;
  /** Bytes that an ACK of v1 has called written: an unfinished stream keeps them, even if the process dies. */
  writtenBytes: number;
  /** After a removal was requested the stream may be gone. */
  removal: "none" | "asked";
}

/** The server's answer contradicts the ledger, whatever happens to the server afterwards. */
export class BrokenPromise extends Error {}

export class UploadLedger {
  readonly uploads = new Map<string, Upload>();
  /** Ids of streams whose removal was confirmed: they must not exist. */
  readonly removed = new Set<string>();
  /** Their readers may expect that nobody removes them meanwhile. */
  readonly beingRead = new Set<Upload>();
  acknowledgements = 0;
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
      writtenBytes: 0,
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
    this.acknowledge(upload, stopped.size, stopped.sha256);
  }

  /** The same over protocol v1. `channel` must be free, and the peer must speak revision 2. */
  async runV1(peer: V1Peer, channel: number, upload: Upload): Promise<void> {
    const { offset, sha256: digest } = await peer.resume(channel, upload.id);
    if (offset < upload.writtenBytes)
      throw new BrokenPromise(`resumed at ${offset}, but ${describe(upload)}`);
    const had = upload.audio.subarray(0, offset);
    if (digest !== sha256(had))
      throw new BrokenPromise(`the first ${offset} bytes differ: ${describe(upload)}`);
    try {
      await peer.write(channel, upload.audio, offset);
      upload.stopSent = true;
      const end = await peer.finish(channel, upload.audio.length);
      this.acknowledge(upload, end.size, end.sha256);
    } finally {
      upload.writtenBytes = Math.max(upload.writtenBytes, peer.acked(channel).written);
    }
  }

  private acknowledge(upload: Upload, size: number | undefined, digest: string | undefined): void {
    if (size !== upload.audio.length || digest !== upload.sha256) {
      throw new BrokenPromise(
        `${size} bytes, SHA-256 ${digest} is no acknowledgement of ${describe(upload)}`,
      );
    }
    upload.acknowledged = true;
    this.acknowledgements += 1;
  }

  /** Removes one of the streams that must exist, other than those that somebody reads. */
  async removeOne(server: TestServer): Promise<void> {
    const candidates = this.kept.filter((upload) => !this.beingRead.has(upload));
    if (candidates.length === 0) return;
    const upload = this.random.pick(candidates);
    upload.removal = "asked";
    const status = await removeStream(server.httpBase, upload.id);
    if (status !== 204)
      throw new BrokenPromise(`removal of ${describe(upload)} failed with status ${status}`);
    this.uploads.delete(upload.id);
    this.removed.add(upload.id);
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
    const there = new Set(listed.map((stream) => stream.streamId));
    for (const upload of this.unacknowledged) {
      const isGone = upload.writtenBytes > 0 && !there.has(upload.id);
      if (isGone) faults.push(`written, but gone: ${describe(upload)}`);
    }
    for (const upload of this.kept) {
      if (!finished.has(upload.id)) faults.push(`acknowledged, but not finished: ${describe(upload)}`);
    }
    return [...faults, ...(await debrisAfterCheck(server.cacheDir, server.httpBase))];
  }

  private faultOf(stream: StreamInfo): string | undefined {
    const upload = this.uploads.get(stream.streamId);
    const shown = JSON.stringify(stream);
    if (this.removed.has(stream.streamId)) return `removed, but it exists again: ${shown}`;
    if (upload === undefined) return `a stream that was never sent: ${shown}`;
    if (stream.state === "unfinished") {
      if (stream.size < upload.writtenBytes) return `shorter than ${describe(upload)}: ${shown}`;
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
  const { id, audio, writtenBytes } = upload;
  return `${id} of ${audio.length} bytes, ${writtenBytes} called written, SHA-256 ${upload.sha256}`;
}
