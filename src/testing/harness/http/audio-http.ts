/** A client of audio over HTTP that sees every byte: over a raw socket, with a connection for each request. */
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { within } from "../until.ts";

const limitMs = 20_000;

export interface AudioAnswer {
  status: number;
  /** Names in lower case. */
  headers: Headers;
  body: Buffer;
  /** The body has the length that the headers announce, or ends as a chunked body does. */
  isComplete: boolean;
}

export interface AudioRequestOptions {
  method?: string;
  headers?: Record<string, string | string[]>;
}

/** Sends the request and reads until the server ends the connection. */
export async function requestAudio(
  base: string,
  target: string,
  options: AudioRequestOptions = {},
): Promise<AudioAnswer> {
  const reading = await AudioReading.open(base, target, options);
  return await reading.rest();
}

/** An answer that is read while it arrives. */
export class AudioReading {
  private readonly socket: Socket;
  private readonly method: string;
  private received = Buffer.alloc(0);
  private isOver = false;
  private wake: () => void = () => {};

  static async open(
    base: string,
    target: string,
    { method = "GET", headers = {} }: AudioRequestOptions = {},
  ): Promise<AudioReading> {
    const { hostname, port, host, protocol } = new URL(base);
    const address = { host: hostname, port: Number(port), rejectUnauthorized: false };
    const socket = protocol === "https:" ? connectTls(address) : connect(address);
    const ready = protocol === "https:" ? "secureConnect" : "connect";
    await within("a connection", limitMs, new Promise((resolve) => socket.once(ready, resolve)));
    const fields = Object.entries({ host, connection: "close", ...headers });
    const lines = fields.flatMap(([name, values]) => [values].flat().map((value) => `${name}: ${value}`));
    socket.write(`${method} ${target} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`, "latin1");
    return new AudioReading(socket, method);
  }

  private constructor(socket: Socket, method: string) {
    this.socket = socket;
    this.method = method;
    socket.on("data", (bytes: Buffer) => {
      this.received = Buffer.concat([this.received, bytes]);
      this.wake();
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      this.isOver = true;
      this.wake();
    });
  }

  /** Waits until the body has this many bytes. */
  async bytes(count: number): Promise<Buffer> {
    const arrived = async (): Promise<Buffer> => {
      for (;;) {
        const body = this.answer()?.body;
        if (body !== undefined && body.length >= count) return body;
        if (this.isOver) throw new Error(`the body ended after ${body?.length} of ${count} bytes`);
        await this.change();
      }
    };
    return await within(`${count} bytes of a body`, limitMs, arrived());
  }

  /** Waits until the server ends the connection, or the body. */
  async rest(): Promise<AudioAnswer> {
    const ended = async (): Promise<void> => {
      while (!this.isOver) await this.change();
    };
    await within("the end of an answer", limitMs, ended());
    const answer = this.answer();
    if (answer === undefined) throw new Error("the connection ended before an answer");
    return answer;
  }

  /** Reads nothing more until `resume`. */
  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  close(): void {
    this.socket.destroy();
  }

  private change(): Promise<void> {
    return new Promise((resolve) => {
      this.wake = resolve;
    });
  }

  private answer(): AudioAnswer | undefined {
    const headEnd = this.received.indexOf("\r\n\r\n");
    if (headEnd < 0) return undefined;
    const [statusLine = "", ...lines] = this.received.toString("latin1", 0, headEnd).split("\r\n");
    const fields = lines.map((line): [string, string] => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon), line.slice(colon + 1).trim()];
    });
    const headers = new Headers(fields);
    const status = Number(statusLine.split(" ")[1]);
    const rest = this.received.subarray(headEnd + 4);
    if (headers.get("transfer-encoding") === "chunked") return { status, headers, ...unchunk(rest) };
    const hasBody = this.method !== "HEAD" && status !== 304 && status !== 204;
    const wanted = hasBody ? Number(headers.get("content-length")) : 0;
    return { status, headers, body: rest, isComplete: rest.length === wanted };
  }
}

function unchunk(bytes: Buffer): { body: Buffer; isComplete: boolean } {
  const chunks: Buffer[] = [];
  for (let at = 0; ;) {
    const lineEnd = bytes.indexOf("\r\n", at);
    const length = lineEnd < 0 ? Number.NaN : Number.parseInt(bytes.toString("latin1", at, lineEnd), 16);
    if (Number.isNaN(length)) return { body: Buffer.concat(chunks), isComplete: false };
    if (length === 0) return { body: Buffer.concat(chunks), isComplete: true };
    chunks.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + length));
    at = lineEnd + 2 + length + 2;
  }
}

export interface BodyPart {
  headers: Headers;
  body: Buffer;
}

/** The parts of a multipart/byteranges body. Throws if it is not exactly as RFC 2046 has it. */
export function partsOf({ headers, body }: AudioAnswer): BodyPart[] {
  const boundary = /^multipart\/byteranges; boundary=([0-9a-f]+)$/.exec(
    headers.get("content-type") ?? "",
  )?.[1];
  if (boundary === undefined) throw new Error(`no boundary in ${headers.get("content-type")}`);
  const text = body.toString("latin1");
  if (!text.startsWith(`--${boundary}\r\n`) || !text.endsWith(`\r\n--${boundary}--\r\n`))
    throw new Error("the body does not begin and end with its boundary");
  const inner = text.slice(boundary.length + 4, -(boundary.length + 8));
  return inner.split(`\r\n--${boundary}\r\n`).map((part) => {
    const headEnd = part.indexOf("\r\n\r\n");
    const fields = part.slice(0, headEnd).split("\r\n");
    return {
      headers: new Headers(fields.map((line): [string, string] => line.split(": ") as [string, string])),
      body: Buffer.from(part.slice(headEnd + 4), "latin1"),
    };
  });
}
