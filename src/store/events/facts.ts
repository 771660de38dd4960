/** What the keeper writes of its facts: each in the transaction of the change itself. */
import { maxNamedStreams } from "../../base/limits/events.ts";
import type { RecordingEntry } from "../../base/recording-entry.ts";
import { sharedNow } from "../../base/system/shared-clock.ts";
import type { Catalog, FinishedStream, StreamRow } from "../streams/catalog.ts";
import type { StreamMetadata } from "../streams/metadata.ts";
import type { EventOutbox } from "./outbox.ts";
import type { EventData, ExpiryReason, RemovalReason } from "./types.ts";

type Finished = Pick<FinishedStream, "streamId" | "size" | "sha256" | "format" | "metadata" | "finishedAt">;

export function streamStarted(
  events: EventOutbox,
  streamId: string,
  metadata: StreamMetadata,
  at: number,
): void {
  const data = { streamId, name: nameOf(metadata) };
  events.append({ type: "stream.started", subject: streamSubject(streamId), at, data });
}

export function streamFinished(events: EventOutbox, stream: Finished): void {
  const { streamId, size, sha256, format, metadata, finishedAt: at } = stream;
  const data = { streamId, name: nameOf(metadata), size, sha256, format };
  events.append({ type: "stream.finished", subject: streamSubject(streamId), at, data });
}

/** A sealed row has become finished. Returns false if it has not: another node has taken over the upload meanwhile. */
export function rowFinished(
  catalog: Pick<Catalog, "find" | "events">,
  { streamId, key }: Pick<StreamRow, "streamId" | "key">,
): boolean {
  const row = catalog.find(streamId);
  if (row?.state !== "finished" || row.key !== key) return false;
  streamFinished(catalog.events, { ...row, sha256: row.sha256!, finishedAt: row.finishedAt! });
  return true;
}

export function streamRemoved(events: EventOutbox, row: StreamRow, reason: RemovalReason): void {
  const data = { ...goneStream(row), reason };
  events.append({ type: "stream.removed", subject: streamSubject(row.streamId), at: sharedNow(), data });
}

export function streamExpired(events: EventOutbox, row: StreamRow, reason: ExpiryReason, at: number): void {
  const data = { ...goneStream(row), reason };
  events.append({ type: "stream.expired", subject: streamSubject(row.streamId), at, data });
}

export function uploadInterrupted(events: EventOutbox, row: StreamRow, at: number): void {
  const { streamId, metadata, size } = row;
  const data = { streamId, name: nameOf(metadata), size };
  events.append({ type: "upload.interrupted", subject: streamSubject(streamId), at, data });
}

/** Marks the streams of an object as damaged. Returns those that were not marked before. */
export function noteDamage(catalog: Pick<Catalog, "events" | "markDamaged">, sha256: string): string[] {
  const streamIds = catalog.markDamaged(sha256, true);
  if (streamIds.length > 0) {
    const data = { sha256, streamIds: streamIds.slice(0, maxNamedStreams), streams: streamIds.length };
    catalog.events.append({ type: "storage.damaged", subject: "storage", at: sharedNow(), data });
  }
  return streamIds;
}

/** What the handshake of a live stream says. */
export type LiveStream = Pick<RecordingEntry, "device" | "streamId" | "codec" | "sampleRate" | "channels">;

export function recordingOpened(events: EventOutbox, name: string, live: LiveStream, at: number): void {
  const data = { name, ...live, startedAtMs: at };
  events.append({ type: "recording.opened", subject: recordingSubject(live), at, data });
}

export function recordingClosed(events: EventOutbox, id: number, recording: RecordingEntry): void {
  const { startedAt: startedAtMs, endedAt: endedAtMs, wav, ...rest } = recording;
  const { name, device, streamId, codec, sampleRate, channels, samples, gaps, lostFrames } = rest;
  const format = { device, streamId, codec, sampleRate, channels };
  const length = { startedAtMs, endedAtMs, samples, gaps, lostFrames };
  const data = { id, name, ...format, ...length, wavBytes: wav.bytes, wavSha256: wav.sha256 };
  const subject = recordingSubject(recording);
  events.append({ type: "recording.closed", subject, at: sharedNow(), data });
}

export function recordingRemoved(
  events: EventOutbox,
  recording: Pick<RecordingEntry, "name" | "device" | "streamId"> & { id: number },
  reason: EventData<"recording.removed">["reason"],
): void {
  const { id, name, device } = recording;
  const data = { id, name, device, reason };
  events.append({ type: "recording.removed", subject: recordingSubject(recording), at: sharedNow(), data });
}

/** All segments of a device have one subject, so their events stay in order. */
export function recordingSubject({ device, streamId }: Pick<RecordingEntry, "device" | "streamId">): string {
  return `recordings/${device ?? streamId}`;
}

function streamSubject(streamId: string): string {
  return `streams/${streamId}`;
}

function nameOf({ tags }: StreamMetadata): string | null {
  return tags["name"] ?? null;
}

function goneStream({ streamId, metadata, size, state }: StreamRow) {
  return { streamId, name: nameOf(metadata), size, finished: state === "finished" };
}
