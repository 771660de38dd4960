import { describe, expect, test } from "bun:test";
import { WavecacheError } from "../../base/errors.ts";
import type { Sealed } from "../../lane/messages/streams.ts";
import type { UploadSlot } from "../../pool/upload-slot.ts";
import type { ResumeAnswer } from "../../store/keeper-calls.ts";
import { noMetadata } from "../../store/streams/metadata.ts";
import type { StreamRow } from "../../store/streams/catalog.ts";
import { Admission } from "./admission.ts";
import type { UploadHost } from "./upload-host.ts";
import { Upload, type UploadOwner } from "./upload.ts";

const nothingKept = { size: 0, sha256: "" };
const sealedAudio: Sealed = { size: 3, sha256: "a".repeat(64), format: null };
const finishedRow = { size: 3, sha256: sealedAudio.sha256, metadata: noMetadata } as StreamRow;

/** Records what the upload asks of its host, its slot and its owner. */
class Recorder implements UploadHost, UploadOwner {
  readonly admission = new Admission({ maxStreamBytes: 1000, maxCacheBytes: 1000 });
  readonly calls: string[] = [];
  hasNoWriter = false;
  readonly upload = new Upload("x", noMetadata, this, this);

  refuseWrite({ receivedBytes }: Upload, bytes: number): WavecacheError | undefined {
    return this.admission.refuseWrite(receivedBytes, bytes);
  }

  grew(): number {
    return Number.POSITIVE_INFINITY;
  }

  openSlot(): UploadSlot {
    if (this.hasNoWriter) throw new WavecacheError("WORKER_LOST");
    const slot: Pick<UploadSlot, "write" | "fence" | "seal" | "close"> = {
      write: (audio, from) => audio.length - from,
      fence: () => void this.calls.push("fence"),
      seal: () => void this.calls.push("seal"),
      close: (discard) => {
        this.calls.push(discard ? "close and remove" : "close");
        queueMicrotask(() => this.upload.closed(0));
      },
    };
    return slot as UploadSlot;
  }

  async flush(): Promise<void> {}

  async declareSize(): Promise<void> {}

  async secure(): Promise<void> {}

  async commit(): Promise<StreamRow> {
    this.calls.push("commit");
    return finishedRow;
  }

  async failed(upload: Upload, entered: boolean): Promise<void> {
    this.admission.unfinishedBytes -= upload.receivedBytes;
    this.calls.push(entered ? "leave" : "nothing to leave");
  }

  async archived(): Promise<void> {}

  release(): void {
    this.calls.push("release");
  }

  uploadHolds(): void {}

  uploadHasRoom(): void {}

  uploadFailed(_upload: Upload, error: WavecacheError): void {
    this.calls.push(`failed ${error.code}`);
  }
}

describe("an upload's end", () => {
  test("removes a sealed file whose id turns out to be in use", async () => {
    const recorder = new Recorder();
    const reservation = Promise.withResolvers<null>();
    recorder.upload.start("key", reservation.promise);
    recorder.upload.opened(nothingKept);
    recorder.upload.write(new Uint8Array(3));
    const finished = recorder.upload.finish();
    recorder.upload.sealed(sealedAudio);
    reservation.reject(new WavecacheError("STREAM_EXISTS"));
    await expect(finished).rejects.toThrow("already in use");
    expect(recorder.calls).toEqual(["seal", "close and remove", "nothing to leave"]);
  });

  test.each(["start", "resume"] as const)("comes at once if no writer can take a %s", async (how) => {
    const recorder = new Recorder();
    recorder.hasNoWriter = true;
    if (how === "start") recorder.upload.start("key", Promise.resolve(null));
    else recorder.upload.resume("key", Promise.resolve({ kind: "new" }));
    await expect(recorder.upload.ready).rejects.toThrow(WavecacheError);
    await recorder.upload.over;
    expect(recorder.calls).toEqual(["leave"]);
  });

  test("is a refusal for audio that came before the stream was found finished", async () => {
    const recorder = new Recorder();
    const answer = Promise.withResolvers<ResumeAnswer>();
    recorder.upload.resume("key", answer.promise);
    expect(recorder.upload.write(new Uint8Array(5))).toBe(false);
    answer.resolve({ kind: "finished", row: finishedRow });
    await recorder.upload.over;
    expect(recorder.calls).toEqual(["release", "failed STREAM_FINISHED"]);
    expect(recorder.admission.unfinishedBytes).toBe(0);
    await expect(recorder.upload.finish()).rejects.toThrow(WavecacheError);
  });

  test("is the stored receipt for a finish that came before the stream was found finished", async () => {
    const recorder = new Recorder();
    const answer = Promise.withResolvers<ResumeAnswer>();
    recorder.upload.resume("key", answer.promise);
    const finished = recorder.upload.finish();
    answer.resolve({ kind: "finished", row: finishedRow });
    expect(await finished).toEqual({ size: 3, sha256: sealedAudio.sha256 });
    expect(recorder.calls).toEqual(["release"]);
  });

  test("takes back the bytes of a resumed file that was left before it was open", async () => {
    const recorder = new Recorder();
    recorder.admission.unfinishedBytes = 100;
    const found = { kind: "unfinished", key: "old", size: 100, metadata: noMetadata } as const;
    recorder.upload.resume("key", Promise.resolve(found));
    await Promise.resolve();
    recorder.upload.leave(new WavecacheError("STREAM_UNFINISHED"));
    await recorder.upload.over;
    expect(recorder.calls).toEqual(["close", "leave"]);
    expect(recorder.admission.unfinishedBytes).toBe(0);
  });
});
