/**
 * An in-memory server of live ingest. It records what arrives and misbehaves on request. It parses messages byte by
 * byte instead of with the product's decoder.
 */
import type { Server, ServerWebSocket } from "bun";

export interface MockIngestBehaviour {
  /** Closes each connection with this at its first frame. */
  refuses?: { code: number; reason: string };
  /** The number of frames after which to cut each successive connection; later ones are not cut. */
  cutAfterFrames?: number[];
  /** Closes with this after so many frames. */
  closesAfter?: { frames: number; code: number; reason: string };
  /** Stops reading after the handshake of each connection until `release` is called. */
  pauses?: boolean;
  /** Sends a text in answer to every frame. */
  chats?: boolean;
}

/** One connection; listed in order of connecting. */
export interface MockDevice {
  path: string;
  handshake: Buffer | undefined;
  frames: MockFrame[];
  /** Text messages. */
  odd: string[];
  closeCode: number | undefined;
}

export interface MockFrame {
  magic: number;
  length: number;
  seq: number;
  payload: Buffer;
  /** Arrival time by `performance.now()`. */
  atMs: number;
}

export interface MockIngestServer {
  url: string;
  devices: MockDevice[];
  /** Resumes paused connections. */
  release(): void;
  stop(): Promise<void>;
}

interface Session {
  device: MockDevice;
  cutAfter: number | undefined;
}

type Peer = ServerWebSocket<Session>;

export function startMockIngestServer(behaviour: MockIngestBehaviour = {}): MockIngestServer {
  const devices: MockDevice[] = [];
  const paused: Peer[] = [];
  const server: Server<Session> = Bun.serve<Session>({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request, server) => {
      const device: MockDevice = {
        path: new URL(request.url).pathname,
        handshake: undefined,
        frames: [],
        odd: [],
        closeCode: undefined,
      };
      const cutAfter = behaviour.cutAfterFrames?.[devices.length];
      devices.push(device);
      const upgraded = server.upgrade(request, { data: { device, cutAfter } });
      return upgraded ? undefined : new Response("WebSocket upgrade required", { status: 400 });
    },
    websocket: {
      perMessageDeflate: false,
      sendPings: false,
      message: (ws, message) => {
        arrived(ws, message, behaviour);
        if (behaviour.pauses === true && ws.data.device.frames.length === 0) {
          ws.pause();
          paused.push(ws);
        }
      },
      close: (ws, code) => void (ws.data.device.closeCode = code),
    },
  });
  return {
    url: `ws://127.0.0.1:${server.port}/ws`,
    devices,
    release: () => {
      for (const ws of paused.splice(0)) ws.resume();
    },
    stop: () => server.stop(true),
  };
}

function arrived(ws: Peer, message: string | Buffer, behaviour: MockIngestBehaviour): void {
  const { device, cutAfter } = ws.data;
  if (typeof message === "string") {
    device.odd.push(message);
  } else if (device.handshake === undefined) {
    device.handshake = Buffer.from(message);
  } else {
    device.frames.push(frameOf(message));
    const count = device.frames.length;
    const { refuses, closesAfter, chats } = behaviour;
    if (refuses !== undefined) ws.close(refuses.code, refuses.reason);
    else if (cutAfter !== undefined && count >= cutAfter) ws.terminate();
    else if (closesAfter?.frames === count) ws.close(closesAfter.code, closesAfter.reason);
    else if (chats === true) ws.send("hello");
  }
}

function frameOf(message: Buffer): MockFrame {
  return {
    magic: message.readUInt32LE(0),
    length: message.readUInt32LE(4),
    seq: message.readUInt32LE(8),
    payload: Buffer.from(message.subarray(12)),
    atMs: performance.now(),
  };
}
