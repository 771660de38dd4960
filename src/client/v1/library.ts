/** What `wavecache/client` gives besides `connect`, which differs from platform to platform. */
export { ClientError, type ClientErrorCode } from "../errors.ts";
export type { Digest, DigestName, Socket } from "../transport/platform.ts";
export type { RetryPolicy } from "../transport/retry.ts";
export { bytesSource, type Source } from "../source.ts";
export type { AudioFormat, Metadata, StreamInfo } from "../../wire/v1/messages.ts";
export {
  type Client,
  type ConnectOptions,
  connectWith,
  type Followed,
  type FollowOptions,
  type OpenWriteOptions,
  type Range,
} from "./client.ts";
export type { LinkEvent } from "./link/links.ts";
export type { StreamPlatform } from "./platform.ts";
export type { ListOptions, StreamPage } from "./link/queries.ts";
export type { Opening, ReadOptions, ReadResult } from "./read/task.ts";
export type { Reading } from "./read/reading.ts";
export type { Description, Receipt, WriteOptions, WriteProgress } from "./write/task.ts";
export type { Writing } from "./write/writing.ts";
