/** A bare client of tus 1.0: it sends what the test says, right or wrong. */
import { within } from "../until.ts";

const version = { "tus-resumable": "1.0.0" };
const audioType = { "content-type": "application/offset+octet-stream" };

export interface TusAnswer {
  status: number;
  headers: Headers;
  /** Of the error table; undefined for a success. */
  code: string | undefined;
  /** The header or parameter that the error names. */
  parameter: string | undefined;
}

type Body = Uint8Array | ReadableStream<Uint8Array>;

/** `Upload-Metadata` of these values. */
export function metadataHeader(values: Record<string, string>): string {
  const pairs = Object.entries(values).map(
    ([key, value]) => `${key} ${Buffer.from(value).toString("base64")}`,
  );
  return pairs.join(",");
}

export class TusPeer {
  readonly #base: string;

  constructor(httpBase: string) {
    this.#base = httpBase;
  }

  async request(
    method: string,
    path: string,
    headers: Record<string, string>,
    body?: Body,
    signal?: AbortSignal,
  ): Promise<TusAnswer> {
    const init = { method, headers: { ...version, ...headers }, ...(body === undefined ? {} : { body }) };
    const request = fetch(this.#base + path, {
      ...init,
      ...(signal === undefined ? {} : { signal }),
    } as RequestInit);
    const answer: Response = await within(`an answer to ${method} ${path}`, 20_000, request);
    const text = await answer.text();
    const error = text === "" ? undefined : (JSON.parse(text) as { error: Record<string, string> }).error;
    return {
      status: answer.status,
      headers: answer.headers,
      code: error?.["code"],
      parameter: error?.["parameter"],
    };
  }

  /** Creates an upload and returns its path. */
  async create(length: number | undefined, metadata: Record<string, string> = {}): Promise<string> {
    const answer = await this.request("POST", "/api/tus", {
      ...(length === undefined ? { "upload-defer-length": "1" } : { "upload-length": String(length) }),
      "upload-metadata": metadataHeader(metadata),
    });
    if (answer.status !== 201) throw new Error(`created: ${answer.status} ${answer.code}`);
    return answer.headers.get("location")!;
  }

  patch(
    path: string,
    offset: number,
    body: Body,
    headers: Record<string, string> = {},
    signal?: AbortSignal,
  ): Promise<TusAnswer> {
    const all = { "upload-offset": String(offset), ...audioType, ...headers };
    return this.request("PATCH", path, all, body, signal);
  }

  head(path: string): Promise<TusAnswer> {
    return this.request("HEAD", path, {});
  }

  /** The offset of an upload that exists. */
  async offset(path: string): Promise<number> {
    const { status, headers } = await this.head(path);
    if (status !== 200) throw new Error(`HEAD ${path}: ${status}`);
    return Number(headers.get("upload-offset"));
  }
}

/** The id of the stream at the path of an upload. */
export function streamIdOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** A body that brings these bytes and then never ends. */
export function endlessBody(bytes: Uint8Array): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start: (controller) => controller.enqueue(bytes),
  });
}

/** A body without a length. */
export function chunkedBody(bytes: Uint8Array): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      controller.enqueue(bytes);
      controller.close();
    },
  });
}
