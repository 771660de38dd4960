/**
 * Clients that cost little beside the server: a GET whose body is counted and dropped, and uploads of a buffer. Every
 * server gets the same.
 */
import { connect } from "bun";

/** Resolves with the bytes of the body once all are here. */
export async function get(url: string): Promise<number> {
  const { hostname, port, pathname, host } = new URL(url);
  const over = Promise.withResolvers<number>();
  const reader = new BodyCounter();
  const socket = await connect({
    hostname,
    port: Number(port),
    socket: {
      data(_, bytes) {
        reader.take(bytes);
        if (reader.isWhole) over.resolve(reader.bodyBytes);
      },
      close: () => over.reject(new Error(`${url}: the connection ended after ${reader.bodyBytes} bytes`)),
      error: (_, error) => over.reject(error),
    },
  });
  try {
    socket.write(`GET ${pathname} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    return await over.promise;
  } finally {
    socket.terminate();
  }
}

/** Milliseconds from the request to the first byte of the answer's body, on a connection of its own. */
export async function firstByteMs(url: string): Promise<number> {
  const began = performance.now();
  const response = await fetch(url, { headers: { range: "bytes=0-1023" } });
  const reader = response.body!.getReader();
  await reader.read();
  const ms = performance.now() - began;
  await reader.cancel();
  if (response.status !== 206) throw new Error(`${url}: ${response.status}`);
  return ms;
}

class BodyCounter {
  bodyBytes = 0;
  #head = "";
  #length: number | undefined;

  get isWhole(): boolean {
    return this.bodyBytes === this.#length;
  }

  take(bytes: Uint8Array): void {
    if (this.#length !== undefined) {
      this.bodyBytes += bytes.length;
      return;
    }
    const before = this.#head.length;
    this.#head += Buffer.from(bytes).toString("latin1");
    const end = this.#head.indexOf("\r\n\r\n");
    if (end < 0) return;
    const [status] = this.#head.split("\r\n", 1);
    if (!status!.startsWith("HTTP/1.1 200 ")) throw new Error(`the server answers ${status}`);
    this.#length = Number(/\r\ncontent-length: (\d+)/i.exec(this.#head)![1]);
    this.bodyBytes = bytes.length - (end + 4 - before);
  }
}

export async function put(httpBase: string, streamId: string, audio: Uint8Array): Promise<void> {
  await send(`${httpBase}/api/streams/${streamId}/audio`, "PUT", {}, audio, 201);
}

/** Creates an upload, and sends it with one PATCH. */
export async function tus(httpBase: string, audio: Uint8Array): Promise<string> {
  const version = { "tus-resumable": "1.0.0" };
  const length = { ...version, "upload-length": String(audio.length) };
  const created = await send(`${httpBase}/api/tus`, "POST", length, undefined, 201);
  const url = new URL(created.headers.get("location")!, `${httpBase}/api/tus/`).href;
  const patch = { ...version, "upload-offset": "0", "content-type": "application/offset+octet-stream" };
  await send(url, "PATCH", patch, audio, 204);
  return url;
}

async function send(
  url: string,
  method: string,
  headers: Record<string, string>,
  body: Uint8Array | undefined,
  expected: number,
): Promise<Response> {
  const response = await fetch(url, { method, headers, ...(body === undefined ? {} : { body }) });
  const text = await response.text();
  if (response.status !== expected) throw new Error(`${method} ${url}: ${response.status} ${text}`);
  return response;
}
