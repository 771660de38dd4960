/**
 * A live ingest server in memory that keeps what arrives and misbehaves on request. What comes of the messages is read
 * here apart from the product's own decoder, byte by byte.
 */
import type { Server, ServerWebSocket } from "bun";

export interface MockIngestBehaviour {
  /** Closes each connection with this as it gets its first frame. */
  refuses?: { code: number; reason: string };
  /** After how many frames to cut each connection in turn; none past the end. */
  cutAfterFrames?: number[];
  /** Closes with this when the client says goodbye or sends so many frames, instead of answering 1000. */
  closesAfter?: { frames: number; code: number; reason: string };
  /** Stops reading after the handshake of each connection until `release` is called. */
  pauses?: boolean;
  /** Says something to every frame. */
  chats?: boolean;
}

/** One connection, in the order in which they were made. */
export interface MockDevice {
  path: string;
  handshake: Buffer | undefined;
  frames: MockFrame[];
  /** Text messages and anything else that is no frame. */
  odd: string[];
  closeCode: number | undefined;
}

export interface MockFrame {
  magic: number;
  length: number;
  seq: number;
  payload: Buffer;
  /** When it came, of `performance.now()`. */
  atMs: number;
}

export interface MockIngestServer {
  url: string;
  devices: MockDevice[];
  /** Lets connections that are paused go on. */
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
      return upgraded ? undefined : new Response("a WebSocket, please", { status: 400 });
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
