/** One connection against a fake engine that the test controls. */
import { describe, expect, test } from "bun:test";
import { openAccess } from "../../access/access.ts";
import { openPrincipal } from "../../access/principal.ts";
import { GatewayMeter } from "../../base/gateway-meter.ts";
import { WavecacheError } from "../../base/errors.ts";
import { KiB, MiB } from "../../base/limits/units.ts";
import {
  initialChannelCreditBytes,
  initialConnectionCreditBytes,
  maxConcurrentQueries,
} from "../../base/limits/v1.ts";
import type { Log } from "../../base/log/log.ts";
import { OutboundBudget } from "../../engine/streams/outbound-budget.ts";
import type { Upload, UploadOwner } from "../../engine/streams/upload.ts";
import type { StreamRow } from "../../store/streams/catalog.ts";
import { noMetadata } from "../../store/streams/metadata.ts";
import { decodeServerMessage } from "../../wire/v1/decode.ts";
import { encodeMessage } from "../../wire/v1/encode.ts";
import { type ClientMessage, revision } from "../../wire/v1/messages.ts";
import type { OpenUpload, Streams } from "./dependencies.ts";
import { V1Session, type V1SessionHost } from "./session.ts";

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const silent: Log = { debug() {}, info() {}, warn() {}, error() {} };

/** An upload whose room and readiness the test controls. */
class FakeUpload {
  readonly streamId: string;
  readonly owner: UploadOwner;
  readonly opening = Promise.withResolvers<number>();
  readonly over = Promise.resolve();
  readonly metadata = noMetadata;
  readonly finishing = undefined;
  readonly keptSha256 = "0".repeat(64);
  receivedBytes = 0;
  writtenBytes = 0;
  hasRoom = true;
  isDetached = false;

  constructor(streamId: string, owner: UploadOwner) {
    this.streamId = streamId;
    this.owner = owner;
  }

  get ready(): Promise<number> {
    return this.opening.promise;
  }

  write(audio: Uint8Array): boolean {
    this.receivedBytes += audio.length;
    return this.hasRoom;
  }

  async readable(): Promise<number> {
    this.writtenBytes = this.receivedBytes;
    return this.writtenBytes;
  }

  async checkpoint(): Promise<number> {
    return this.readable();
  }

  finish(): Promise<never> {
    return Promise.reject(new WavecacheError("DISK_FULL"));
  }

  leave(): void {
    this.isDetached = true;
  }

  discard(): void {}
}

class Stage implements V1SessionHost {
  readonly meter = new GatewayMeter("v1");
  readonly log = silent;
  readonly access = openAccess;
  readonly name = "test";
  readonly idleMs = 60_000;
  isLeaving = false;
  readonly uploads: FakeUpload[] = [];
  readonly finds: PromiseWithResolvers<StreamRow | null>[] = [];
  readonly closes: number[] = [];
  sent: ReturnType<typeof decodeServerMessage>[] = [];
  outcome: "sent" | "queued" = "sent";
  readonly streams = this.#fakeStreams();
  readonly recordings = { listen: () => fail() };
  readonly session: V1Session;

  constructor() {
    this.session = new V1Session(
      {
        send: (frame) => {
          this.sent.push(decodeServerMessage(frame as Uint8Array));
          return this.outcome;
        },
        bufferedBytes: () => 0,
        pause() {},
        resume() {},
        ping() {},
        close: (code) => {
          this.closes.push(code);
          this.session.closed();
        },
      },
      { principal: openPrincipal(""), context: { requestId: "test" } },
      this,
    );
    this.receive({
      type: "HELLO",
      revision,
      name: "",
      connectionCredit: 2 ** 20,
      channelCredit: 2 ** 20,
      maxChannels: 0,
      maxDataBytes: 65_536,
      idleMs: 0,
    });
    this.sent = [];
  }

  #fakeStreams(): Streams {
    const start = (streamId: string, owner: UploadOwner): OpenUpload => {
      const upload = new FakeUpload(streamId, owner);
      this.uploads.push(upload);
      return upload;
    };
    return {
      startUpload: start,
      resumeUpload: start,
      restartUpload: start,
      locateKnown: () => undefined,
      locate: () => Promise.reject(new WavecacheError("STREAM_UNKNOWN")),
      follow: () => false,
      unfollow() {},
      hold: () => () => {},
      assignReader: () => ({ read: () => fail(), resident: () => undefined }),
      outbound: new OutboundBudget(MiB),
      lookUp: () => {
        const answer = Promise.withResolvers<StreamRow | null>();
        this.finds.push(answer);
        return answer.promise;
      },
      list: () => Promise.resolve([]),
      receivedBytes: () => undefined,
      remove: () => Promise.resolve(),
    };
  }

  uploadWindow(): number {
    return MiB;
  }

  countUploadChannel(): void {}
  closed(): void {}

  receive(message: ClientMessage): void {
    this.session.binary(encodeMessage(message));
  }

  create(channel: number): FakeUpload {
    const metadata = noMetadata;
    this.receive({ type: "WRITE", channel, streamId: `s-${channel}`, mode: "create", metadata });
    return this.uploads.at(-1)!;
  }

  data(channel: number, offset: number, bytes: number): void {
    const payload = new Uint8Array(bytes);
    this.receive({ type: "DATA", channel, offset, crc: Bun.hash.crc32(payload), payload });
  }

  credit(channel: number): number {
    return this.sent.reduce(
      (sum, message) =>
        message.type === "CREDIT" && message.channel === channel ? sum + message.bytes : sum,
      0,
    );
  }

  get errors(): string[] {
    return this.sent.flatMap((message) => (message.type === "ERROR" ? [message.code] : []));
  }
}

function fail(): never {
  throw new Error("unexpected call");
}

describe("the credit of an upload channel", () => {
  test("starts small, and a client that exceeds it before OPENED is closed", () => {
    const stage = new Stage();
    stage.create(1);
    stage.data(1, 0, initialChannelCreditBytes);
    expect(stage.errors).toEqual([]);
    stage.data(1, initialChannelCreditBytes, 1);
    expect(stage.errors).toEqual(["CREDIT_EXCEEDED"]);
    expect(stage.closes).toEqual([1008]);
    expect(stage.uploads[0]!.isDetached).toBe(true);
  });

  test("is withheld only while its upload has no room", async () => {
    const stage = new Stage();
    const [held, free] = [stage.create(1), stage.create(2)];
    held.opening.resolve(0);
    free.opening.resolve(0);
    await turn();
    expect([stage.credit(1), stage.credit(2)]).toEqual([
      MiB - initialChannelCreditBytes,
      MiB - initialChannelCreditBytes,
    ]);
    held.owner.uploadHolds(held as unknown as Upload);
    for (let at = 0; at < 4; at += 1) {
      stage.data(1, at * 256 * KiB, 256 * KiB);
      stage.data(2, at * 256 * KiB, 256 * KiB);
    }
    expect(stage.credit(1)).toBe(MiB - initialChannelCreditBytes);
    expect(stage.credit(2)).toBe(2 * MiB - initialChannelCreditBytes);
    expect(stage.errors).toEqual([]);
    held.owner.uploadHasRoom(held as unknown as Upload);
    expect(stage.credit(1)).toBe(2 * MiB - initialChannelCreditBytes);
  });

  test("does not hold back the credit of the connection", async () => {
    const stage = new Stage();
    stage.create(1).opening.resolve(0);
    await turn();
    stage.uploads[0]!.hasRoom = false;
    for (let at = 0; at < 3; at += 1) stage.data(1, at * 256 * KiB, 256 * KiB);
    expect(stage.credit(1)).toBe(MiB - initialChannelCreditBytes);
    for (let sent = 0; sent < initialConnectionCreditBytes; sent += 256 * KiB) stage.data(9, 0, 256 * KiB);
    expect(stage.credit(0)).toBeGreaterThanOrEqual(initialConnectionCreditBytes / 2);
    expect(stage.errors).toEqual([]);
  });
});

describe("a session", () => {
  test("answers a failed finish on its channel alone", async () => {
    const stage = new Stage();
    stage.create(1).opening.resolve(0);
    stage.receive({ type: "FINISH", channel: 1, size: 0 });
    await turn();
    expect(stage.errors).toEqual(["DISK_FULL"]);
    expect(stage.closes).toEqual([]);
    expect([...stage.meter.errors]).toEqual([["DISK_FULL", 1]]);
  });

  test("acknowledges growth one tick after the audio arrives, and only growth", async () => {
    const stage = new Stage();
    stage.create(1).opening.resolve(0);
    await turn();
    stage.data(1, 0, 1000);
    stage.session.tick(1);
    await turn();
    stage.session.tick(2);
    stage.session.tick(3);
    expect(stage.sent.filter(({ type }) => type === "ACK")).toEqual([
      { type: "ACK", channel: 1, written: 1000, durable: 1000 },
    ]);
  });

  test("runs few queries at once, and starts none while the peer does not read", async () => {
    const stage = new Stage();
    for (let channel = 1; channel <= 20; channel += 1) {
      stage.receive({ type: "INFO", channel, streamId: "s" });
    }
    expect(stage.finds).toHaveLength(maxConcurrentQueries);
    stage.outcome = "queued";
    for (const find of stage.finds.slice()) find.resolve(null);
    await turn();
    expect(stage.finds).toHaveLength(maxConcurrentQueries);
    stage.session.drained();
    expect(stage.finds).toHaveLength(2 * maxConcurrentQueries);
  });

  test("answers only the last PING when the peer reads again", () => {
    const stage = new Stage();
    stage.outcome = "queued";
    for (let nonce = 1; nonce <= 50; nonce += 1) stage.receive({ type: "PING", nonce });
    stage.outcome = "sent";
    stage.session.drained();
    const nonces = stage.sent.flatMap((message) => (message.type === "PONG" ? [message.nonce] : []));
    expect(nonces).toEqual([1, 50]);
  });

  test("closes an idle connection, and detaches its uploads", () => {
    const stage = new Stage();
    const upload = stage.create(1);
    // Whole milliseconds: sums of fractions have rounding errors.
    const now = Math.ceil(performance.now());
    stage.session.tick(now);
    stage.session.tick(now + stage.idleMs);
    expect(stage.closes).toEqual([]);
    stage.session.tick(now + stage.idleMs + 1000);
    expect(stage.closes).toEqual([1000]);
    expect(upload.isDetached).toBe(true);
  });

  test("refuses new channels during a shutdown, and closes with its last channel", async () => {
    const stage = new Stage();
    stage.create(1).opening.resolve(0);
    await turn();
    stage.isLeaving = true;
    stage.session.leave(1000);
    stage.create(2);
    expect(stage.errors).toEqual(["SHUTTING_DOWN"]);
    expect(stage.closes).toEqual([]);
    stage.receive({ type: "CLOSE", channel: 1, discard: false });
    await turn();
    expect(stage.sent.at(-1)).toMatchObject({ type: "END", outcome: "unfinished" });
    expect(stage.closes).toEqual([1001]);
  });
});
