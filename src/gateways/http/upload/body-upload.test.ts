import { describe, expect, test } from "bun:test";
import { WavecacheError } from "../../../base/errors.ts";
import { Usage } from "../../../access/usage.ts";
import { GatewayMeter } from "../../../base/gateway-meter.ts";
import type { UploadOwner } from "../../../engine/streams/upload.ts";
import { until } from "../../../testing/harness/until.ts";
import { type AudioPieces, bodyPieces, BodyUpload, type OpenUpload } from "./body-upload.ts";

/** An upload that does nothing by itself: the test drives it through its owner. */
class FakeUpload {
  readonly written: number[] = [];
  readonly #over = Promise.withResolvers<void>();
  readonly over = this.#over.promise;
  owner!: UploadOwner;
  ready: Promise<number> = Promise.resolve(0);
  receivedBytes = 0;
  hasRoom = true;
  error: WavecacheError | undefined;
  left: string | undefined;

  write(audio: Uint8Array): boolean {
    this.written.push(audio.length);
    this.receivedBytes += audio.length;
    return this.hasRoom;
  }

  async readable(): Promise<number> {
    if (this.error !== undefined) throw this.error;
    return this.receivedBytes;
  }

  leave(error: WavecacheError): void {
    this.left ??= error.code;
    this.end(error);
  }

  end(error: WavecacheError): void {
    this.error ??= error;
    this.#over.resolve();
  }

  fail(error: WavecacheError): void {
    this.end(error);
    this.owner.uploadFailed(this as never, error);
  }
}

class Stage {
  readonly upload = new FakeUpload();
  readonly timeouts: (number | "open")[] = [];
  readonly meter = new GatewayMeter("test");
  readonly access = new AbortController();
  readonly body: BodyUpload;

  constructor(idleMs = 60_000) {
    const connection = {
      context: { requestId: "test" },
      keepOpen: () => void this.timeouts.push("open"),
      setIdleSeconds: (seconds: number) => void this.timeouts.push(seconds),
    };
    const start = (owner: UploadOwner): OpenUpload => {
      this.upload.owner = owner;
      return this.upload as unknown as OpenUpload;
    };
    const principal = {
      name: "anonymous",
      ended: this.access.signal,
      refusal: "UNAUTHENTICATED" as const,
      usage: Usage.unlimited,
    };
    this.body = new BodyUpload(start, { connection, meter: this.meter, principal, idleMs });
  }

  /** Receives these pieces; resolves with the code of the error, or "received". */
  async receive(pieces: AudioPieces): Promise<string> {
    try {
      await this.body.receive(pieces);
      return "received";
    } catch (error) {
      return error instanceof WavecacheError ? error.code : String(error);
    }
  }
}

/** A body that gives pieces of 10 bytes as they are asked for, and counts them. */
function body({ pieces = 3, thenHangs = false, thenFails = false } = {}) {
  const counts = { pulled: 0, cancelled: false };
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (counts.pulled < pieces) {
          counts.pulled += 1;
          return controller.enqueue(new Uint8Array(10));
        }
        if (thenFails) return controller.error(new DOMException("The connection was closed.", "AbortError"));
        return thenHangs ? new Promise<void>(() => {}) : controller.close();
      },
      cancel: () => void (counts.cancelled = true),
    },
    { highWaterMark: 0 },
  );
  return { counts, pieces: bodyPieces(stream) };
}

describe("a body", () => {
  test("is written piece by piece, and counted", async () => {
    const stage = new Stage();
    expect(await stage.receive(body().pieces)).toBe("received");
    expect(stage.upload.written).toEqual([10, 10, 10]);
    expect(stage.meter.bytesIn).toBe(30);
    expect(stage.upload.left).toBeUndefined();
  });

  test("that a request does not have is no audio", async () => {
    const stage = new Stage();
    expect(await stage.receive(bodyPieces(null))).toBe("received");
    expect(stage.upload.written).toEqual([]);
  });

  test("is not read before the id is known to be free", async () => {
    const stage = new Stage();
    const { pieces, counts } = body();
    const error = new WavecacheError("STREAM_FINISHED");
    stage.upload.ready = Promise.reject(error);
    stage.upload.end(error);
    expect(await stage.receive(pieces)).toBe("STREAM_FINISHED");
    expect(counts.pulled).toBe(0);
  });

  test("waits while the upload has no room, and is not stalled then", async () => {
    const stage = new Stage(20);
    const { pieces, counts } = body();
    stage.upload.hasRoom = false;
    const received = stage.receive(pieces);
    await until("the first piece", 5_000, () => stage.upload.written.length === 1);
    await Bun.sleep(60);
    expect(counts.pulled).toBe(1);
    stage.upload.hasRoom = true;
    stage.upload.owner.uploadHasRoom(stage.upload as never);
    expect(await received).toBe("received");
    expect(stage.upload.written).toEqual([10, 10, 10]);
  });

  test("waits when other uploads fill the way to the disk", async () => {
    const stage = new Stage();
    const { pieces, counts } = body();
    stage.upload.owner.uploadHolds(stage.upload as never);
    const received = stage.receive(pieces);
    await until("the first piece", 5_000, () => stage.upload.written.length === 1);
    await new Promise((resolve) => setImmediate(resolve));
    expect(counts.pulled).toBe(1);
    stage.upload.owner.uploadHasRoom(stage.upload as never);
    expect(await received).toBe("received");
  });

  test("whose sender falls silent leaves the upload unfinished", async () => {
    const stage = new Stage(20);
    const { pieces, counts } = body({ thenHangs: true });
    expect(await stage.receive(pieces)).toBe("BODY_STALLED");
    expect(counts.cancelled).toBe(true);
    expect(stage.upload.written).toEqual([10, 10, 10]);
    expect(stage.upload.left).toBe("STREAM_UNFINISHED");
  });

  test("whose connection ends leaves the upload unfinished", async () => {
    const stage = new Stage();
    expect(await stage.receive(body({ thenFails: true }).pieces)).toBe("STREAM_UNFINISHED");
    expect(stage.upload.written).toEqual([10, 10, 10]);
    expect(stage.upload.left).toBe("STREAM_UNFINISHED");
  });

  test("ends when the upload fails, in a read and during backpressure", async () => {
    for (const hasRoom of [true, false]) {
      const stage = new Stage();
      stage.upload.hasRoom = hasRoom;
      const { pieces, counts } = body({ pieces: 1, thenHangs: true });
      const received = stage.receive(pieces);
      await until("the piece", 5_000, () => stage.upload.written.length === 1);
      stage.upload.fail(new WavecacheError("DISK_FULL"));
      expect(await received).toBe("DISK_FULL");
      expect(counts.cancelled).toBe(true);
    }
  });

  test("ends when the access of its sender does", async () => {
    const stage = new Stage();
    const received = stage.receive(body({ pieces: 1, thenHangs: true }).pieces);
    await until("the piece", 5_000, () => stage.upload.written.length === 1);
    stage.access.abort();
    expect(await received).toBe("UNAUTHENTICATED");
    expect(stage.upload.left).toBe("STREAM_UNFINISHED");
  });

  test("ends when the server leaves the upload", async () => {
    const stage = new Stage();
    const received = stage.receive(body({ pieces: 1, thenHangs: true }).pieces);
    await until("the piece", 5_000, () => stage.upload.written.length === 1);
    stage.upload.leave(new WavecacheError("SHUTTING_DOWN"));
    expect(await received).toBe("SHUTTING_DOWN");
  });
});

test("the idle timeout of the connection is off until the upload has ended", async () => {
  const stage = new Stage();
  expect(stage.timeouts).toEqual(["open"]);
  await stage.receive(body({ thenFails: true }).pieces);
  expect(stage.timeouts).toEqual(["open", 10]);
});
