/**
 * An in-memory audio cache that misbehaves on request, in the ways that real servers of the protocol do. It shares no
 * code with the server and its codec, so that the client is not tested against itself.
 */
import { createHash } from "node:crypto";
import { type AddressInfo, createServer } from "node:net";
import type { Server, ServerWebSocket } from "bun";
import { encodeFrame, opcodes } from "../harness/peers/websocket-frames.ts";

export interface MockBehaviour {
  /** Sends CONNECTED first. */
  greeting?: boolean;
  /** Sends this text before its first answer to a GET. */
  hello?: string;
  /** Shapes every control message: `foreign` has spaces, other case, `stream_id`, nulls and extra keys. */
  dialect?: "plain" | "foreign";
  /** STARTED has `resumable`, and START understands `resume`. */
  resumable?: boolean;
  /** STARTED of a resume has the SHA-256 of the kept bytes, START understands `restart`, STOP `sha256`. */
  compares?: boolean;
  /** STOPPED carries size and SHA-256. */
  confirms?: boolean;
  /** Replaces the correct SHA-256 in STOPPED. */
  wrongSha256?: string;
  /** Sends audio in text frames. */
  textData?: boolean;
  /** How many bytes to answer when `length` are available. */
  answerBytes?: (length: number) => number;
  /** Delay of each answer to a GET. */
  getDelayMs?: number;
  /** The answer to a GET at the end of a stream. */
  end?: "empty" | "error" | "nothing";
  /** Replaces the usual text of the ERROR at the end. */
  endMessage?: string;
  /** Answers STOP of an empty stream with ERROR. */
  refusesEmpty?: boolean;
  /** Drops binary frames below 1000 bytes that parse as JSON, as servers do that take them for control messages. */
  swallowsJson?: boolean;
  /** Answers every START with this ERROR. */
  refusal?: string;
  /** Sends this ERROR once a stream has this many bytes. */
  errorAtBytes?: { bytes: number; message: string };
  /** Never answers the first `times` of these requests. */
  silentTo?: { type: "START" | "STOP" | "GET"; times: number };
  /** Cuts the connection at the first `times` of these requests. Executes STOP first, but does not answer it. */
  cutsAt?: { type: "START" | "STOP" | "GET"; times: number };
  /** The bytes of audio, in both directions, after which to cut each successive connection; later ones are not cut. */
  cutAfterBytes?: number[];
  /** Closes with this at the first audio. */
  closesWith?: { code: number; reason: string };
  /** Answers every upgrade request with this HTTP status. */
  upgradeStatus?: number;
  /** Selects the first subprotocol that a client offers, without checking it. */
  echoesProtocol?: boolean;
}

export interface MockStream {
  chunks: Buffer[];
  finished: boolean;
}

export interface MockServer {
  url: string;
  port: number;
  streams: Map<string, MockStream>;
  /** Text frames in order of arrival. */
  texts: string[];
  /** Lengths of the binary frames in order of arrival. */
  frameBytes: number[];
  /** Path and headers of the upgrade requests. */
  requests: { path: string; headers: Headers }[];
  /** Number of connections so far. */
  connections: number;
  /** The highest number of GETs that were unanswered at once. */
  openGets: number;
  bytesOf(streamId: string): Buffer;
  /** Sends text on every connection. */
  say(text: string): void;
  stop(): Promise<void>;
}

interface Session {
  streamId: string;
  greeted: boolean;
  audioBytes: number;
  cutAfter: number | undefined;
  /** GETs in the queue for their answer. */
  gets: { id: string; offset: number; length: number }[];
}

type Peer = ServerWebSocket<Session>;

/** The topic of all connections. */
const everybody = "all";

export function startMockServer(behaviour: MockBehaviour = {}): MockServer {
  const mock = new Mock(behaviour);
  return mock.handle;
}

class Mock {
  readonly handle: MockServer;
  readonly #behaviour: MockBehaviour;
  readonly #counts = { silent: 0, cut: 0 };
  readonly #server: Server<Session>;

  constructor(behaviour: MockBehaviour) {
    this.#behaviour = behaviour;
    this.#server = Bun.serve<Session>({
      hostname: "127.0.0.1",
      port: 0,
      fetch: (request, server) => this.#upgrade(request, server),
      websocket: {
        perMessageDeflate: false,
        sendPings: false,
        open: (ws) => this.#opened(ws),
        message: (ws, message) => {
          if (typeof message === "string") this.#control(ws, message);
          else this.#audio(ws, message);
        },
      },
    });
    const port = this.#server.port ?? 0;
    const streams = new Map<string, MockStream>();
    this.handle = {
      url: `ws://127.0.0.1:${port}/audio`,
      port,
      streams,
      texts: [],
      frameBytes: [],
      requests: [],
      connections: 0,
      openGets: 0,
      say: (text) => void this.#server.publish(everybody, text),
      bytesOf: (id) => Buffer.concat(streams.get(id)?.chunks ?? []),
      stop: () => this.#server.stop(true),
    };
  }

  #upgrade(request: Request, server: Server<Session>): Response | undefined {
    const { upgradeStatus, cutAfterBytes, echoesProtocol } = this.#behaviour;
    this.handle.requests.push({ path: new URL(request.url).pathname, headers: new Headers(request.headers) });
    if (upgradeStatus !== undefined) return new Response("no", { status: upgradeStatus });
    // By default Bun selects any offered subprotocol. A client must fail a handshake that selects an unexpected one.
    const offers = request.headers.has("Sec-WebSocket-Protocol");
    if (offers && echoesProtocol !== true) return new Response("no subprotocols", { status: 400 });
    const cutAfter = cutAfterBytes?.[this.handle.connections];
    this.handle.connections++;
    const data: Session = { streamId: "", greeted: false, audioBytes: 0, cutAfter, gets: [] };
    return server.upgrade(request, { data })
      ? undefined
      : new Response("WebSocket upgrade required", { status: 426 });
  }

  #opened(ws: Peer): void {
    ws.subscribe(everybody);
    if (this.#behaviour.greeting === true)
      this.#reply(ws, "CONNECTED", { message: "Connection established" });
  }

  #control(ws: Peer, text: string): void {
    this.handle.texts.push(text);
    const message = JSON.parse(text) as Record<string, unknown>;
    const type = String(message.type);
    const id = String(message.streamId);
    if (this.#counted("silent", this.#behaviour.silentTo, type)) return;
    const cut = this.#counted("cut", this.#behaviour.cutsAt, type);
    if (cut && type !== "STOP") ws.terminate();
    else if (type === "START") this.#start(ws, id, message);
    else if (type === "STOP") this.#stop(ws, id, cut, message.sha256);
    else if (type === "GET") this.#get(ws, id, Number(message.offset), Number(message.length));
    else this.#reply(ws, "ERROR", { message: `Unknown message type: ${type}` });
  }

  #counted(what: "silent" | "cut", rule: { type: string; times: number } | undefined, type: string): boolean {
    if (rule?.type !== type || this.#counts[what] >= rule.times) return false;
    this.#counts[what]++;
    return true;
  }

  #start(ws: Peer, id: string, { resume, restart }: Record<string, unknown>): void {
    const { refusal, resumable, compares } = this.#behaviour;
    if (refusal !== undefined) {
      this.#reply(ws, "ERROR", { message: refusal });
      return;
    }
    if (compares === true && restart === true) this.handle.streams.delete(id);
    const old = this.handle.streams.get(id);
    // START of a used id without `resume` keeps the old bytes and appends new ones.
    if (old === undefined) this.handle.streams.set(id, { chunks: [], finished: false });
    ws.data.streamId = id;
    const extra = resumable === true ? { resumable: true } : {};
    const bytes = this.handle.bytesOf(id);
    const isResumed = resumable === true && (resume === true || (compares === true && restart === true));
    const offset = isResumed ? { offset: bytes.length } : {};
    const sha256 = isResumed && compares === true ? { sha256: digestOf(bytes) } : {};
    this.#reply(ws, "STARTED", {
      streamId: id,
      message: "Stream started successfully",
      ...extra,
      ...offset,
      ...sha256,
    });
  }

  #audio(ws: Peer, frame: Buffer): void {
    const { closesWith, swallowsJson, errorAtBytes } = this.#behaviour;
    this.handle.frameBytes.push(frame.length);
    if (closesWith !== undefined) {
      ws.close(closesWith.code, closesWith.reason);
      return;
    }
    if (swallowsJson === true && frame.length < 1000 && isJson(frame)) return;
    const stream = this.handle.streams.get(ws.data.streamId);
    if (stream === undefined || stream.finished) return;
    const room = (ws.data.cutAfter ?? Number.POSITIVE_INFINITY) - ws.data.audioBytes;
    ws.data.audioBytes += frame.length;
    stream.chunks.push(Buffer.from(frame.subarray(0, Math.max(0, room))));
    if (frame.length >= room) ws.terminate();
    if (errorAtBytes !== undefined && this.handle.bytesOf(ws.data.streamId).length >= errorAtBytes.bytes) {
      this.#reply(ws, "ERROR", { message: errorAtBytes.message });
    }
  }

  #stop(ws: Peer, id: string, cut: boolean, sent: unknown): void {
    const { confirms, refusesEmpty, wrongSha256, compares } = this.#behaviour;
    const stream = this.handle.streams.get(id);
    const bytes = this.handle.bytesOf(id);
    if (stream === undefined || (refusesEmpty === true && bytes.length === 0)) {
      this.#reply(ws, "ERROR", { message: `Failed to finalize stream: ${id}` });
      return;
    }
    if (compares === true && sent !== undefined && sent !== digestOf(bytes)) {
      const message = `Failed to finalize stream: ${id} (audio does not match its sender's digest)`;
      this.#reply(ws, "ERROR", { message });
      return;
    }
    stream.finished = true;
    if (cut) {
      ws.terminate();
      return;
    }
    const sha256 = wrongSha256 ?? digestOf(bytes);
    const extra = confirms === true ? { size: bytes.length, sha256 } : {};
    this.#reply(ws, "STOPPED", { streamId: id, message: "Stream finalized successfully", ...extra });
  }

  #get(ws: Peer, id: string, offset: number, length: number): void {
    ws.data.gets.push({ id, offset, length });
    this.handle.openGets = Math.max(this.handle.openGets, ws.data.gets.length);
    const next = () => {
      const get = ws.data.gets.shift();
      if (get !== undefined && ws.readyState === WebSocket.OPEN) this.#answer(ws, get);
    };
    if (this.#behaviour.getDelayMs === undefined) setImmediate(next);
    else setTimeout(next, this.#behaviour.getDelayMs);
  }

  #answer(ws: Peer, get: { id: string; offset: number; length: number }): void {
    const { end, answerBytes, hello } = this.#behaviour;
    if (hello !== undefined && !ws.data.greeted) ws.send(hello);
    ws.data.greeted = true;
    const bytes = this.handle.bytesOf(get.id);
    const available = Math.min(get.length, bytes.length - get.offset);
    if (!this.handle.streams.has(get.id)) {
      this.#reply(ws, "ERROR", { message: `Failed to read from stream: ${get.id}` });
    } else if (available <= 0 && end === "error") {
      const usual = `No data available at offset ${get.offset}`;
      this.#reply(ws, "ERROR", { message: this.#behaviour.endMessage ?? usual });
    } else if (available > 0 || end !== "nothing") {
      const given = available <= 0 ? 0 : (answerBytes?.(available) ?? available);
      this.#data(ws, bytes.subarray(get.offset, get.offset + given));
    }
  }

  #data(ws: Peer, bytes: Buffer): void {
    ws.data.audioBytes += bytes.length;
    if (ws.data.cutAfter !== undefined && ws.data.audioBytes >= ws.data.cutAfter) ws.terminate();
    else if (this.#behaviour.textData === true) ws.send(bytes.toString("utf8"));
    else ws.send(bytes);
  }

  #reply(ws: Peer, type: string, fields: Record<string, unknown>): void {
    if (this.#behaviour.dialect !== "foreign") {
      ws.send(JSON.stringify({ type, ...fields }));
      return;
    }
    const { streamId, ...rest } = fields;
    const foreign = {
      version: 3,
      error: null,
      ...rest,
      stream_id: streamId ?? null,
      nested: { type: "GET" },
    };
    ws.send(JSON.stringify({ ...foreign, type: type.toLowerCase() }, undefined, 2));
  }
}

function digestOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function isJson(frame: Buffer): boolean {
  try {
    return typeof JSON.parse(frame.toString("utf8")) === "object";
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

/** A server that accepts connections and never sends a byte. */
export function startSilentServer(): { url: string; stop: () => void } {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => undefined } });
  return { url: `ws://127.0.0.1:${listener.port}/audio`, stop: () => listener.stop(true) };
}

/** The address of a port without a listener. */
export function deadAddress(): string {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => undefined } });
  const { port } = listener;
  listener.stop(true);
  return `ws://127.0.0.1:${port}/audio`;
}

export interface BrokenTextServer {
  url: string;
  /** Number of connections so far. */
  connections(): number;
  stop(): void;
}

/**
 * A server that sends its audio in text frames, whatever the bytes are, as some PHP servers do. It cuts each connection
 * after `cutAfterBytes` of audio, and greets with `greeting`.
 */
export function startBrokenTextServer(
  audio: Uint8Array,
  cutAfterBytes = Infinity,
  greeting = "",
): BrokenTextServer {
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    let sentBytes = 0;
    const sendText = (text: string | Uint8Array) =>
      socket.write(encodeFrame({ opcode: opcodes.text, payload: Buffer.from(text) }));
    const answer = (get: string) => {
      const { offset, length } = JSON.parse(get) as { offset: number; length: number };
      const part = audio.subarray(offset, offset + length);
      sentBytes += part.length;
      if (sentBytes > cutAfterBytes) socket.destroy();
      else if (part.length > 0) sendText(part);
      else sendText(JSON.stringify({ type: "ERROR", message: `No data available at offset ${offset}` }));
    };
    socket.on("error", () => undefined);
    socket.once("data", (request) => {
      socket.write(upgradeAnswer(request.toString("latin1")));
      if (greeting !== "") sendText(greeting);
      let pending: Buffer = Buffer.alloc(0);
      socket.on("data", (bytes: Buffer) => {
        pending = Buffer.concat([pending, bytes]);
        pending = answerTexts(pending, answer);
      });
    });
  }).listen(0, "127.0.0.1");
  const { port } = server.address() as AddressInfo;
  return { url: `ws://127.0.0.1:${port}/`, connections: () => connections, stop: () => void server.close() };
}

/** Passes on the texts of whole frames, all short and masked, and returns the rest. */
function answerTexts(bytes: Buffer, answer: (text: string) => void): Buffer {
  for (let rest = bytes; ;) {
    const length = (rest[1] ?? 0) & 0x7f;
    if (length > 125) throw new Error("a long frame");
    if (rest.length < 2 || rest.length < 6 + length) return rest;
    const mask = rest.subarray(2, 6);
    const payload = Buffer.from(rest.subarray(6, 6 + length)).map((byte, at) => byte ^ mask[at & 3]!);
    if ((rest[0]! & 0x0f) === opcodes.text) answer(Buffer.from(payload).toString());
    rest = rest.subarray(6 + length);
  }
}

function upgradeAnswer(request: string): string {
  const key = /^sec-websocket-key: *(\S+)/im.exec(request)?.[1] ?? "";
  const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
  const headers = `Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}`;
  return `HTTP/1.1 101 Switching Protocols\r\n${headers}\r\n\r\n`;
}
