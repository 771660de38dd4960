/** The exports of `wavecache/client` besides `connect`, which each platform defines. */
export { ClientError, type ClientErrorCode } from "../errors.ts";
export type { Digest, DigestName, Socket } from "../transport/platform.ts";
export type { RetryPolicy } from "../transport/retry.ts";
export { bytesSource, type AudioSource } from "../audio-source.ts";
export type { AudioFormat, Metadata, StreamInfo } from "../../wire/v1/messages.ts";
export {
  type Client,
  type ConnectOptions,
  connectWith,
  type FollowTarget,
  type FollowOptions,
  type OpenWriteOptions,
  type ReadRange,
} from "./client.ts";
export type { ConnectionEvent } from "./link/reconnector.ts";
export type { StreamPlatform } from "./platform.ts";
export type { ListOptions, StreamPage } from "./link/queries.ts";
export type { OpenedStream, ReadOptions, ReadResult } from "./read/read-task.ts";
export type { StreamReader } from "./read/stream-reader.ts";
export type { MetadataInput, Receipt, WriteOptions, WriteProgress } from "./write/write-task.ts";
export type { StreamWriter } from "./write/stream-writer.ts";
