import { GatewayMeter } from "../../base/gateway-meter.ts";
import { describe, expect, test } from "bun:test";
import { openPrincipal } from "../../access/principal.ts";
import { WavecacheError } from "../../base/errors.ts";
import { ingestCheckMs } from "../../base/limits/recordings.ts";
import { openLog } from "../../base/log/log.ts";
import type { Ticks } from "../../base/ticker.ts";
import type { RecordingOwner } from "../../engine/recordings/recording.ts";
import {
  adpcmFormat,
  frameMessage,
  handshakeMessage,
  pcmFormat,
} from "../../testing/harness/peers/ingest-device.ts";
import type { Socket } from "../../listen/route.ts";
import { IngestSession } from "./session.ts";

const frame = frameMessage(0, 0, Buffer.alloc(640));

/** Socket and engine in one: the test decides whether the engine has room. */
class Stage {
  readonly calls: string[] = [];
  readonly written: Uint8Array[] = [];
  hasRoom = true;
  refusal: WavecacheError | undefined;
  owner: RecordingOwner | undefined;
  readonly session: IngestSession;
  readonly #checks = new Set<() => void>();

  constructor() {
    const socket: Socket = {
      send: () => "sent",
      bufferedBytes: () => 0,
      pause: () => void this.calls.push("pause"),
      resume: () => void this.calls.push("resume"),
      ping: () => void this.calls.push("ping"),
      close: (code, reason) => void this.calls.push(`close ${code} ${reason}`),
    };
    const ticks: Ticks = {
      now: () => 0,
      add: (check) => void this.#checks.add(check),
      remove: (check) => void this.#checks.delete(check),
    };
    const ingest = {
      start: (handshake: { streamId: number }, hwid: string, owner: RecordingOwner) => {
        if (this.refusal !== undefined) throw this.refusal;
        this.calls.push(`start ${handshake.streamId} ${hwid}`);
        this.owner = owner;
        return {
          write: (message: Uint8Array) => this.#write(message),
          end: () => void this.calls.push("end"),
        };
      },
    };
    const host = { ingest, meter: new GatewayMeter("ingest"), log: openLog("test"), ticks };
    this.session = new IngestSession(
      socket,
      "AA:BB",
      { principal: openPrincipal(""), context: { requestId: "test" } },
      host,
    );
  }

  get isChecked(): boolean {
    return this.#checks.size > 0;
  }

  /** Lets seconds pass. */
  pass(seconds: number): void {
    const checks = (seconds * 1000) / ingestCheckMs;
    for (let count = 0; count < checks; count++) for (const check of this.#checks) check();
  }

  #write(message: Uint8Array): boolean {
    this.written.push(message);
    return this.hasRoom;
  }
}

describe("an ingest session", () => {
  test("starts a recording with the first valid frame, not with the handshake", () => {
    const stage = new Stage();
    stage.session.binary(handshakeMessage(pcmFormat));
    expect(stage.calls).toEqual([]);
    stage.session.binary(frame);
    stage.session.binary(frame);
    stage.session.closed();
    expect(stage.calls).toEqual(["start 7 AA:BB", "end"]);
    expect(stage.written).toEqual([frame, frame]);
  });

  test("records nothing for a device whose first frame is invalid", () => {
    const stage = new Stage();
    stage.session.binary(handshakeMessage(adpcmFormat));
    stage.session.binary(frame);
    stage.session.binary(frameMessage(1, 0, Buffer.alloc(164)));
    stage.session.closed();
    expect(stage.calls).toEqual(["close 1008 frame codec mismatch"]);
    expect(stage.written).toEqual([]);
  });

  test("pauses the device once while there is no room, and accepts frames that still arrive", () => {
    const stage = new Stage();
    stage.session.binary(handshakeMessage(pcmFormat));
    stage.hasRoom = false;
    stage.session.binary(frame);
    stage.session.binary(frame);
    expect(stage.calls.slice(1)).toEqual(["pause"]);
    stage.hasRoom = true;
    stage.owner!.recordingHasRoom();
    stage.owner!.recordingHasRoom();
    expect(stage.calls.slice(1)).toEqual(["pause", "resume"]);
    expect(stage.written.length).toBe(2);
  });

  test("does not use a closed socket", () => {
    const stage = new Stage();
    stage.session.binary(handshakeMessage(pcmFormat));
    stage.hasRoom = false;
    stage.session.binary(frame);
    stage.session.closed();
    stage.owner!.recordingHasRoom();
    stage.owner!.recordingFailed(new WavecacheError("DISK_FULL"));
    expect(stage.calls.slice(1)).toEqual(["pause", "end"]);
  });

  test("pings a device that sends nothing, and closes the connection if no answer comes", () => {
    const stage = new Stage();
    stage.session.binary(handshakeMessage(pcmFormat));
    stage.session.binary(frame);
    stage.pass(20);
    expect(stage.calls).toEqual(["start 7 AA:BB"]);
    stage.pass(1);
    expect(stage.calls).toEqual(["start 7 AA:BB", "ping"]);
    stage.pass(19);
    expect(stage.calls.length).toBe(2);
    stage.pass(1);
    expect(stage.calls.slice(2)).toEqual(["close 1013 peer does not answer pings"]);
    stage.session.closed();
    stage.pass(100);
    expect(stage.calls.slice(3)).toEqual(["end"]);
    expect(stage.isChecked).toBe(false);
  });

  test("keeps a quiet device that answers, and never pings a device that sends", () => {
    const quiet = new Stage();
    quiet.session.binary(handshakeMessage(pcmFormat));
    for (let pings = 1; pings <= 100; pings++) {
      quiet.pass(39);
      expect(quiet.calls).toEqual(Array.from({ length: pings }, () => "ping"));
      quiet.session.controlFrame();
    }
    const sending = new Stage();
    sending.session.binary(handshakeMessage(pcmFormat));
    for (let frames = 0; frames < 100; frames++) {
      sending.session.binary(frame);
      sending.pass(19);
    }
    expect(sending.calls).toEqual(["start 7 AA:BB"]);
  });

  test("does not blame a device that it has paused for sending nothing", () => {
    const stage = new Stage();
    stage.session.binary(handshakeMessage(pcmFormat));
    stage.hasRoom = false;
    stage.session.binary(frame);
    stage.pass(100);
    stage.owner!.recordingHasRoom();
    stage.pass(20);
    expect(stage.calls.slice(1)).toEqual(["pause", "resume"]);
    stage.pass(1);
    expect(stage.calls.slice(3)).toEqual(["ping"]);
  });

  test("closes the connection once when its recording fails or cannot start", () => {
    const failing = new Stage();
    failing.session.binary(handshakeMessage(pcmFormat));
    failing.session.binary(frame);
    failing.owner!.recordingFailed(new WavecacheError("DISK_FULL", "secret path"));
    failing.session.binary(frame);
    failing.session.text();
    expect(failing.calls.slice(1)).toEqual(["close 1013 disk is full"]);
    expect(failing.written.length).toBe(1);
    const leaving = new Stage();
    leaving.session.binary(handshakeMessage(pcmFormat));
    leaving.session.binary(frame);
    leaving.owner!.recordingFailed(new WavecacheError("SHUTTING_DOWN"));
    expect(leaving.calls.slice(1)).toEqual(["close 1001 server is shutting down"]);
    for (const [code, close] of [
      ["WORKER_LOST", 1013],
      ["SHUTTING_DOWN", 1001],
    ] as const) {
      const refused = new Stage();
      refused.refusal = new WavecacheError(code);
      refused.session.binary(handshakeMessage(pcmFormat));
      refused.session.binary(frame);
      refused.session.binary(frame);
      expect(refused.calls).toEqual([`close ${close} ${refused.refusal.message}`]);
    }
  });
});
