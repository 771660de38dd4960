/** What `wavecache/client` gives besides `connect`, which differs from platform to platform. */
export { ClientError, type ClientErrorCode } from "../errors.ts";
export type { Digest, DigestName, Socket } from "../platform.ts";
export type { RetryPolicy } from "../retry.ts";
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
export type { LinkEvent } from "./links.ts";
export type { StreamPlatform } from "./platform.ts";
export type { ListOptions, StreamPage } from "./questions.ts";
export type { Opening, ReadOptions, ReadResult } from "./read.ts";
export type { Reading } from "./reading.ts";
export type { Description, Receipt, WriteOptions, WriteProgress } from "./write.ts";
export type { Writing } from "./writing.ts";
