/** Uploads over plain HTTP: what they answer, and one whose body a test sends piece by piece. */
import { expect } from "bun:test";
import { connect, type Socket } from "node:net";
import { sha256 } from "../bytes.ts";
import { within } from "../until.ts";
import { requestAudio } from "./audio-http.ts";
import { streamInfo } from "./streams.ts";

const limitMs = 10_000;

export class HttpUpload {
  private readonly socket: Socket;
  private received = "";

  /** `length` is the announced one; undefined for chunks. */
  static async open(
    base: string,
    target: string,
    { method = "PUT", length, headers = {} }: UploadOptions = {},
  ): Promise<HttpUpload> {
    const { hostname, port, host } = new URL(base);
    const socket = connect(Number(port), hostname);
    await within("a connection", limitMs, new Promise<void>((resolve) => socket.once("connect", resolve)));
    const body = length === undefined ? { "transfer-encoding": "chunked" } : { "content-length": length };
    const lines = Object.entries({ host, ...body, ...headers }).map(([name, value]) => `${name}: ${value}`);
    socket.write(`${method} ${target} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`, "latin1");
    return new HttpUpload(socket, length === undefined);
  }

  private readonly isChunked: boolean;

  private constructor(socket: Socket, isChunked: boolean) {
    this.socket = socket;
    this.isChunked = isChunked;
    socket.on("data", (bytes: Buffer) => (this.received += bytes.toString("latin1")));
    // A cut connection is what many tests want.
    socket.on("error", () => {});
  }

  send(bytes: Uint8Array): void {
    if (this.isChunked) this.socket.write(`${bytes.length.toString(16)}\r\n`);
    this.socket.write(bytes);
    if (this.isChunked) this.socket.write("\r\n");
  }

  /** Ends a chunked body. */
  end(): void {
    this.socket.write("0\r\n\r\n");
  }

  cut(): void {
    this.socket.destroy();
  }

  reset(): void {
    this.socket.resetAndDestroy();
  }

  /** `STATUS CODE` of an error, or `STATUS` of another answer. */
  async outcome(): Promise<string> {
    const answered = async (): Promise<string> => {
      for (;;) {
        const [head, body] = this.received.split("\r\n\r\n", 2);
        const length = Number(/content-length: (\d+)/i.exec(head ?? "")?.[1] ?? Number.NaN);
        if (body !== undefined && body.length >= length) return outcomeOf(head!, body);
        if (this.socket.closed) throw new Error(`the connection ended after "${this.received}"`);
        await new Promise((resolve) => {
          this.socket.once("data", resolve);
          this.socket.once("close", resolve);
        });
      }
    };
    return await within("an answer to an upload", limitMs, answered());
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}

export interface UploadOptions {
  method?: string;
  length?: number;
  headers?: Record<string, string>;
}

function outcomeOf(head: string, body: string): string {
  const status = head.split(" ")[1]!;
  const code = /"code":"(\w+)"/.exec(body)?.[1];
  return code === undefined ? status : `${status} ${code}`;
}

/** The answer for a durable stream. */
export interface Stored {
  streamId: string;
  size: number;
  sha256: string;
}

export function audioPath(id: string): string {
  return `/api/streams/${id}/audio`;
}

/** `STATUS CODE`. */
export async function refusal(answer: Response): Promise<string> {
  const { error } = (await answer.json()) as { error: { code: string } };
  return `${answer.status} ${error.code}`;
}

/** Of Repr-Digest and Content-Digest. */
export function digestOf(bytes: Uint8Array): string {
  return `sha-256=:${Buffer.from(sha256(bytes), "hex").toString("base64")}:`;
}

/** The stream is finished, and its audio is this. */
export async function expectStored(httpBase: string, id: string, bytes: Uint8Array): Promise<void> {
  expect(await streamInfo(httpBase, id)).toMatchObject({ state: "finished", sha256: sha256(bytes) });
  const read = await requestAudio(httpBase, audioPath(id));
  expect(sha256(read.body)).toBe(sha256(bytes));
}
