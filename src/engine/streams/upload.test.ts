import { describe, expect, test } from "bun:test";
import { WavecacheError } from "../../base/errors.ts";
import { flushBytes } from "../../base/limits/streams.ts";
import { MiB } from "../../base/limits/units.ts";
import type { Sealed } from "../../lane/messages/streams.ts";
import type { UploadEvents, UploadSlot } from "../../pool/upload-slot.ts";
import type { StreamRow } from "../../store/streams/catalog.ts";
import { Admission } from "./admission.ts";
import { noMetadata } from "../../store/streams/metadata.ts";
import type { UploadHost } from "./upload-host.ts";
import { Upload, type UploadOwner } from "./upload.ts";

const nothingKept = { size: 0, sha256: "" };
const sealedAudio: Sealed = { size: 3, sha256: "a".repeat(64), format: null };
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** A host and a slot that do nothing by themselves: the test drives them and reads what they were asked. */
class Stage implements UploadHost, UploadOwner {
  readonly admission = new Admission({ maxStreamBytes: 1024 * MiB, maxCacheBytes: 2048 * MiB });
  readonly asked: string[] = [];
  readonly reservation = Promise.withResolvers<null>();
  flushes: PromiseWithResolvers<null>[] = [];
  lineTakes = Infinity;
  readonly upload: Upload = new Upload("x", noMetadata, this, this);

  constructor() {
    this.upload.start("key", this.reservation.promise);
  }

  refuseWrite({ receivedBytes }: Upload, bytes: number): WavecacheError | undefined {
    return this.admission.refuseWrite(receivedBytes, bytes);
  }

  grew(): number {
    return Number.POSITIVE_INFINITY;
  }

  openSlot(key: string, resume: boolean, _events: UploadEvents): UploadSlot {
    this.asked.push(`open ${key}${resume ? " again" : ""}`);
    const slot = {
      write: (audio: Uint8Array, from: number) => {
        const taken = Math.min(this.lineTakes, audio.length - from);
        this.asked.push(`write ${taken}`);
        return taken;
      },
      fence: () => this.asked.push("fence"),
      seal: () => this.asked.push("seal"),
      close: (discard: boolean) => {
        this.asked.push(discard ? "discard" : "close");
        queueMicrotask(() => this.upload.closed(0));
      },
    };
    return slot as unknown as UploadSlot;
  }

  flush(): Promise<null> {
    this.asked.push("flush");
    const flush = Promise.withResolvers<null>();
    this.flushes.push(flush);
    return flush.promise;
  }

  async declareSize(_upload: Upload, size: number | undefined): Promise<void> {
    this.asked.push(`declare ${size}`);
  }

  async secure(_upload: Upload, bytes: number): Promise<void> {
    this.asked.push(`secure ${bytes}`);
  }

  async commit(_upload: Upload, sealed: Sealed): Promise<StreamRow> {
    this.asked.push("commit");
    return { size: sealed.size, sha256: sealed.sha256 } as StreamRow;
  }

  async failed(_upload: Upload, entered: boolean): Promise<void> {
    this.asked.push(entered ? "left" : "never entered");
  }

  async archived(): Promise<void> {}

  release(): void {}

  uploadHolds(): void {
    this.asked.push("hold");
  }

  uploadHasRoom(): void {
    this.asked.push("room");
  }

  uploadFailed(_upload: Upload, error: WavecacheError): void {
    this.asked.push(`failed ${error.code}`);
  }

  /** The id is free and the file is open; forgets what was asked so far. */
  async ready(): Promise<void> {
    this.reservation.resolve(null);
    this.upload.opened(nothingKept);
    expect(await this.upload.ready).toBe(0);
    this.asked.length = 0;
  }
}

describe("an upload", () => {
  test("takes audio before the id is known to be free, and throws it away if it is not", async () => {
    const stage = new Stage();
    stage.upload.opened(nothingKept);
    expect(stage.upload.write(new Uint8Array(10))).toBe(true);
    stage.reservation.reject(new WavecacheError("STREAM_EXISTS"));
    await expect(stage.upload.ready).rejects.toThrow("already in use");
    expect(stage.asked).toEqual(["open key", "room", "write 10", "discard", "never entered"]);
    await expect(stage.upload.finish()).rejects.toThrow("already in use");
  });

  test("commits nothing for an id that is not its own, though it was finished meanwhile", async () => {
    const stage = new Stage();
    stage.upload.opened(nothingKept);
    const finished = stage.upload.finish();
    stage.upload.sealed(sealedAudio);
    await turn();
    expect(stage.asked).not.toContain("commit");
    stage.reservation.reject(new WavecacheError("STREAM_EXISTS"));
    await expect(finished).rejects.toThrow("already in use");
    expect(stage.asked).not.toContain("commit");
  });

  test("keeps audio, fences and the end in order while its lane is full", async () => {
    const stage = new Stage();
    await stage.ready();
    stage.lineTakes = 4;
    expect(stage.upload.write(new Uint8Array(10))).toBe(false);
    void stage.upload.readable(10);
    void stage.upload.finish();
    expect(stage.asked).toEqual(["write 4"]);
    stage.upload.room();
    stage.upload.room();
    expect(stage.asked).toEqual(["write 4", "write 4", "write 2", "fence", "seal", "room"]);
  });

  test("takes audio over and frees its memory once the lane has all of it", async () => {
    const stage = new Stage();
    await stage.ready();
    const taken = new Uint8Array(10);
    stage.upload.write(taken);
    expect(taken.buffer.byteLength).toBe(0);
    stage.lineTakes = 4;
    const waiting = new Uint8Array(10);
    stage.upload.write(waiting);
    expect(waiting.length).toBe(10);
    stage.lineTakes = Infinity;
    stage.upload.room();
    expect(waiting.buffer.byteLength).toBe(0);
  });

  test("tells its owner to hold while its lane is full, and keeps what comes all the same", async () => {
    const stage = new Stage();
    await stage.ready();
    stage.upload.hold();
    expect(stage.upload.write(new Uint8Array(5))).toBe(false);
    stage.upload.room();
    expect(stage.asked).toEqual(["hold", "write 5", "room"]);
  });

  test("that is held by its lane does not go on when the disk has caught up", async () => {
    const stage = new Stage();
    await stage.ready();
    stage.upload.write(new Uint8Array(flushBytes));
    stage.upload.hold();
    stage.flushes[0]!.resolve(null);
    await turn();
    expect(stage.asked.at(-1)).toBe("hold");
  });

  test("answers a read with what is in the file at the fence behind what was received", async () => {
    const stage = new Stage();
    await stage.ready();
    stage.upload.write(new Uint8Array(10));
    const readable = stage.upload.readable(100);
    stage.upload.fenced(10);
    expect(await readable).toBe(10);
    expect(await stage.upload.readable(5)).toBe(10);
    expect(stage.asked.filter((each) => each === "fence")).toEqual(["fence"]);
  });

  test("tells its owner once when it fails, keeps what was written, and ignores what still comes", async () => {
    const stage = new Stage();
    await stage.ready();
    stage.upload.failed(new WavecacheError("DISK_FULL"));
    stage.upload.failed(new WavecacheError("STORE_FAILED"));
    expect(stage.upload.write(new Uint8Array(10))).toBe(true);
    await stage.upload.over;
    await expect(stage.upload.finish()).rejects.toThrow("disk is full");
    expect(stage.asked).toEqual(["failed DISK_FULL", "close", "left"]);
  });

  test("that is left while it finishes is finished all the same", async () => {
    const stage = new Stage();
    await stage.ready();
    const finished = stage.upload.finish();
    stage.upload.leave(new WavecacheError("STREAM_UNFINISHED"));
    stage.upload.sealed(sealedAudio);
    expect(await finished).toEqual({ size: 3, sha256: sealedAudio.sha256 });
  });
});

const block = () => new Uint8Array(flushBytes);

describe("the declared size of an upload", () => {
  test("is entered once the upload is ready, and shows in its metadata", async () => {
    const stage = new Stage();
    const declared = stage.upload.declareSize(5);
    await turn();
    expect(stage.asked).not.toContain("declare 5");
    stage.reservation.resolve(null);
    stage.upload.opened(nothingKept);
    await declared;
    expect(stage.asked).toContain("declare 5");
    expect(stage.upload.metadata.declaredSize).toBe(5);
  });

  test("is refused if no stream may be as large", async () => {
    const stage = new Stage();
    await stage.ready();
    const error = await stage.upload.declareSize(1024 * MiB + 1).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: "STREAM_TOO_LARGE" });
    expect(stage.upload.metadata.declaredSize).toBeUndefined();
  });
});

describe("a large upload", () => {
  test("is sent to the disk while it comes, one flush at a time", async () => {
    const stage = new Stage();
    await stage.ready();
    for (let index = 0; index < 3; index += 1) stage.upload.write(block());
    expect(stage.flushes.length).toBe(1);
    stage.flushes[0]!.resolve(null);
    await turn();
    stage.upload.write(block());
    expect(stage.flushes.length).toBe(2);
  });

  test("is held when the disk is too far behind, and goes on in order", async () => {
    const stage = new Stage();
    await stage.ready();
    for (let index = 0; index < 4; index += 1) expect(stage.upload.write(block())).toBe(true);
    expect(stage.upload.write(Uint8Array.of(1))).toBe(false);
    stage.upload.room();
    expect(stage.asked.filter((each) => each === "write 1")).toEqual([]);
    stage.flushes[0]!.resolve(null);
    await turn();
    expect(stage.asked.slice(-2)).toEqual(["write 1", "room"]);
  });

  test("fails if a flush fails, since its commit would not hear of it", async () => {
    const stage = new Stage();
    await stage.ready();
    stage.upload.write(block());
    const finished = stage.upload.finish();
    stage.upload.sealed(sealedAudio);
    await turn();
    expect(stage.asked).not.toContain("commit");
    stage.flushes[0]!.reject(new WavecacheError("STORE_FAILED"));
    await expect(finished).rejects.toThrow("storage failed");
    expect(stage.asked).not.toContain("commit");
  });

  test("past its limits is refused, and what it has stays", async () => {
    const stage = new Stage();
    await stage.ready();
    for (let index = 0; index < 32; index += 1) {
      stage.upload.write(block());
      stage.flushes.at(-1)?.resolve(null);
      await turn();
    }
    stage.upload.write(Uint8Array.of(1));
    await stage.upload.over;
    expect(stage.asked.slice(-3)).toContain("failed STREAM_TOO_LARGE");
    expect(stage.asked.at(-1)).toBe("left");
  });
});
