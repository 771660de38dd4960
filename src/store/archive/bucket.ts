/**
 * The requests to an S3 object store, each with a time limit. aws4fetch signs them: Bun's own client neither resumes nor
 * lists uploads in parts, nor sends checksums, by which the store verifies what arrives.
 */
import { AwsV4Signer } from "aws4fetch";
import { type ErrorCode, toWavecacheError, WavecacheError } from "../../base/errors.ts";
import {
  archivePartTimeoutMs,
  archiveRequestTimeoutMs,
  fetchPieceBytes,
  maxArchiveAnswerBytes,
} from "../../base/limits/archive.ts";
import { elementsOf, escape, readBody, textsOf } from "./answer.ts";

export interface BucketSettings {
  /** Without a path; undefined for that of AWS in the region. */
  endpoint: string | undefined;
  region: string;
  bucket: string;
  /** Empty, or ends with a slash. */
  prefix: string;
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken: string | undefined;
}

/** As metrics name them. */
export type ArchiveOperation =
  "put" | "get" | "head" | "delete" | "begin" | "part" | "complete" | "abort" | "list";

/** The store has refused a request, or it was not reached. */
export class ArchiveFailure extends WavecacheError {
  /** HTTP status; 0 without an answer. */
  readonly status: number;
  /** As the store asks for. */
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, detail: string, status: number, retryAfterMs?: number) {
    super(code, detail);
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }
}

/** Checksum headers by which the store verifies the body. */
export type Checksum = Record<`x-amz-checksum-${string}`, string>;

export interface StoredPart {
  number: number;
  size: number;
  etag: string;
  /** In base64. */
  crc32: string;
}

export interface UnfinishedUpload {
  /** Below the prefix. */
  key: string;
  uploadId: string;
}

interface BucketRequest {
  operation: ArchiveOperation;
  method: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
  /** Below the prefix; undefined for the bucket. */
  key?: string;
  query?: Record<string, string>;
  headers?: Record<string, string>;
  body?: Blob | string;
  timeoutMs?: number;
}

export class Bucket {
  readonly #settings: BucketSettings;
  readonly #onAnswer: (operation: ArchiveOperation, status: number) => void;
  readonly #abort = new AbortController();

  /** `onAnswer` hears of each request; status 0 is no answer. */
  constructor(
    settings: BucketSettings,
    onAnswer: (operation: ArchiveOperation, status: number) => void = () => {},
  ) {
    this.#settings = settings;
    this.#onAnswer = onAnswer;
  }

  /** Requests in progress fail. */
  close(): void {
    this.#abort.abort();
  }

  /** Rejects with OBJECT_DAMAGED if the body does not match the checksum. */
  async put(key: string, body: Blob, checksum: Checksum): Promise<void> {
    const timeoutMs = archivePartTimeoutMs;
    await this.#send({ operation: "put", method: "PUT", key, body, headers: checksum, timeoutMs });
  }

  /** `length` bytes at `offset`. Rejects with OBJECT_MISSING, and with OBJECT_DAMAGED if there are fewer. */
  async get(key: string, offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    const headers = { range: `bytes=${offset}-${offset + length - 1}` };
    const timeoutMs = length > fetchPieceBytes ? archivePartTimeoutMs : archiveRequestTimeoutMs;
    const bytes = await this.#read({ operation: "get", method: "GET", key, headers, timeoutMs }, length);
    if (bytes.length === length) return bytes;
    throw new ArchiveFailure("ARCHIVE_UNAVAILABLE", `GET ${key}: ${bytes.length} of ${length} bytes`, 0);
  }

  /** An object of up to `maxBytes`; undefined if there is none. */
  async getWhole(key: string, maxBytes: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return await absentAsUndefined(this.#read({ operation: "get", method: "GET", key }, maxBytes));
  }

  /** The first bytes of an object; undefined if there is none. Rejects if it has fewer. */
  async getStart(key: string, length: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return await absentAsUndefined(this.get(key, 0, length));
  }

  /** Bytes of an object; undefined if there is none. */
  async sizeOf(key: string): Promise<number | undefined> {
    const response = await absentAsUndefined(this.#send({ operation: "head", method: "HEAD", key }));
    return response && Number(response.headers.get("content-length"));
  }

  /** No error if there is no such object. */
  async remove(key: string): Promise<void> {
    await absentAsUndefined(this.#send({ operation: "delete", method: "DELETE", key }));
  }

  async beginParts(key: string): Promise<string> {
    const query = { uploads: "" };
    const headers = { "x-amz-checksum-algorithm": "CRC32" };
    const xml = await this.#text({ operation: "begin", method: "POST", key, query, headers });
    const [uploadId] = textsOf(xml, "UploadId");
    if (uploadId !== undefined) return uploadId;
    throw new ArchiveFailure("ARCHIVE_UNAVAILABLE", `POST ${key}: no UploadId in the answer`, 200);
  }

  /** `crc32` is in base64. Rejects with OBJECT_DAMAGED if the body does not match it. */
  async putPart(
    key: string,
    uploadId: string,
    number: number,
    body: Blob,
    crc32: string,
  ): Promise<StoredPart> {
    const query = { partNumber: String(number), uploadId };
    const headers = { "x-amz-checksum-crc32": crc32 };
    const part = { operation: "part", method: "PUT", key, query, headers, body } as const;
    const response = await this.#send({ ...part, timeoutMs: archivePartTimeoutMs });
    return { number, size: body.size, etag: response.headers.get("etag") ?? "", crc32 };
  }

  /** Undefined if there is no such upload any more. */
  async listParts(key: string, uploadId: string): Promise<StoredPart[] | undefined> {
    const parts: StoredPart[] = [];
    for (let after = "0"; ;) {
      const query = { uploadId, "part-number-marker": after };
      const page = await absentAsUndefined(this.#text({ operation: "list", method: "GET", key, query }));
      if (page === undefined) return undefined;
      parts.push(...elementsOf(page, "Part").map(toPart));
      const next = textsOf(page, "NextPartNumberMarker")[0];
      if (textsOf(page, "IsTruncated")[0] !== "true" || next === undefined) return parts;
      after = next;
    }
  }

  async completeParts(key: string, uploadId: string, parts: readonly StoredPart[]): Promise<void> {
    const body = `<CompleteMultipartUpload>${parts.map(toXml).join("")}</CompleteMultipartUpload>`;
    const query = { uploadId };
    const complete = { operation: "complete", method: "POST", key, query, body } as const;
    const xml = await this.#text({ ...complete, timeoutMs: archivePartTimeoutMs });
    // The status comes before the store is done, so an error may follow it.
    if (!xml.includes("<Error>")) return;
    throw new ArchiveFailure("ARCHIVE_UNAVAILABLE", `POST ${key}: ${textsOf(xml, "Code")[0]}`, 200);
  }

  async abortParts(key: string, uploadId: string): Promise<void> {
    const query = { uploadId };
    await absentAsUndefined(this.#send({ operation: "abort", method: "DELETE", key, query }));
  }

  /** Uploads in parts that were neither completed nor aborted: the first page of them. */
  async unfinishedUploads(): Promise<UnfinishedUpload[]> {
    const { prefix } = this.#settings;
    const xml = await this.#text({ operation: "list", method: "GET", query: { uploads: "", prefix } });
    return elementsOf(xml, "Upload").flatMap((upload) => {
      const [key, uploadId] = [textsOf(upload, "Key")[0], textsOf(upload, "UploadId")[0]];
      if (key === undefined || uploadId === undefined || !key.startsWith(prefix)) return [];
      return { key: key.slice(prefix.length), uploadId };
    });
  }

  async #text(request: BucketRequest): Promise<string> {
    return new TextDecoder().decode(await this.#read(request, maxArchiveAnswerBytes));
  }

  async #read(request: BucketRequest, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
    const response = await this.#send(request);
    try {
      return await readBody(response, maxBytes);
    } catch (error) {
      throw this.#failure(request, toWavecacheError(error).detail ?? "the answer was cut off", 0);
    }
  }

  async #send(request: BucketRequest): Promise<Response> {
    const { operation } = request;
    let response: Response;
    try {
      response = await this.#fetch(request);
    } catch (error) {
      this.#onAnswer(operation, 0);
      throw this.#failure(request, toWavecacheError(error).detail ?? "no answer", 0);
    }
    this.#onAnswer(operation, response.status);
    if (response.ok) return response;
    throw await this.#refusal(request, response);
  }

  async #fetch(request: BucketRequest): Promise<Response> {
    const { method, headers = {}, body, timeoutMs = archiveRequestTimeoutMs } = request;
    const { region, accessKeyId, secretAccessKey, sessionToken } = this.#settings;
    const signer = new AwsV4Signer({
      method,
      url: this.#urlOf(request),
      headers,
      region,
      accessKeyId,
      secretAccessKey,
      ...(sessionToken === undefined ? {} : { sessionToken }),
      service: "s3",
    });
    const signed = await signer.sign();
    const signal = AbortSignal.any([AbortSignal.timeout(timeoutMs), this.#abort.signal]);
    return await fetch(signed.url, {
      method,
      headers: signed.headers,
      body: body ?? null,
      signal,
      redirect: "manual",
    });
  }

  /** AWS wants the bucket in the host name; other stores are set up for that less often than for a path. */
  #urlOf({ key, query = {} }: BucketRequest): string {
    const { endpoint, bucket, region, prefix } = this.#settings;
    const base =
      endpoint === undefined ? `https://${bucket}.s3.${region}.amazonaws.com` : `${endpoint}/${bucket}`;
    const path = key === undefined ? "" : `/${(prefix + key).split("/").map(encodeURIComponent).join("/")}`;
    const search = new URLSearchParams(query).toString();
    return `${base}${path}${search === "" ? "" : `?${search}`}`;
  }

  async #refusal(request: BucketRequest, response: Response): Promise<ArchiveFailure> {
    const text = await readBody(response, maxArchiveAnswerBytes).catch(() => new Uint8Array(0));
    const code = textsOf(new TextDecoder().decode(text), "Code")[0];
    const seconds = Number(response.headers.get("retry-after") ?? Number.NaN);
    const retryAfterMs = Number.isFinite(seconds) ? seconds * 1000 : undefined;
    return this.#failure(request, code ?? `status ${response.status}`, response.status, retryAfterMs);
  }

  #failure(
    { method, key }: BucketRequest,
    reason: string,
    status: number,
    retryAfterMs?: number,
  ): ArchiveFailure {
    const detail = `${method} ${key ?? this.#settings.bucket}: ${reason}`;
    const isAbsent = status === 404 && (method === "HEAD" || absenceReasons.has(reason));
    return new ArchiveFailure(isAbsent ? "OBJECT_MISSING" : errorOf(reason), detail, status, retryAfterMs);
  }
}

const damageReasons = new Set(["BadDigest", "InvalidDigest", "XAmzContentChecksumMismatch"]);

/** A proxy whose store is down answers 404, too, which says nothing of the audio. */
const absenceReasons = new Set(["NoSuchKey", "NoSuchUpload"]);

function errorOf(reason: string): ErrorCode {
  return damageReasons.has(reason) ? "OBJECT_DAMAGED" : "ARCHIVE_UNAVAILABLE";
}

async function absentAsUndefined<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof ArchiveFailure && error.code === "OBJECT_MISSING") return undefined;
    throw error;
  }
}

function toPart(xml: string): StoredPart {
  const textOf = (name: string) => textsOf(xml, name)[0] ?? "";
  const [number, size] = [Number(textOf("PartNumber")), Number(textOf("Size"))];
  return { number, size, etag: textOf("ETag"), crc32: textOf("ChecksumCRC32") };
}

function toXml({ number, etag, crc32 }: StoredPart): string {
  const checksum = `<ChecksumCRC32>${escape(crc32)}</ChecksumCRC32>`;
  return `<Part><PartNumber>${number}</PartNumber><ETag>${escape(etag)}</ETag>${checksum}</Part>`;
}
