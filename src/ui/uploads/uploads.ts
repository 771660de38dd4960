/**
 * The uploads of this page, over one connection of protocol v1. They continue after a lost connection, a restart of the
 * server and a reload of the page, always at the byte that the server has.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { Client } from "../../client/v1/client.ts";
import { newStreamId } from "../../client/stream-id.ts";
import type { StreamPlatform } from "../../client/v1/platform.ts";
import { settingOf, socketAddressOf } from "../app/address.ts";
import { notify, notifyError } from "../parts/toasts.tsx";
import { findStream } from "../api/streams.ts";
import type { DroppedFile } from "./dropped-files.ts";
import { finishedUploads, uploads } from "./upload-list.ts";
import { lockUpload } from "./upload-lock.ts";
import { forgetUpload, keepUpload, type KeptUpload } from "./upload-store.ts";
import { Upload, type UploadRecord } from "./upload.ts";

/** Uploads at once: enough to fill the connection with small files, too. */
const maxRunning = 3;

const platform: StreamPlatform = {
  openSocket: (url, protocols) => new WebSocket(url, [...protocols]),
  newDigest: () => {
    const hash = sha256.create();
    return {
      update: (bytes) => void hash.update(bytes),
      hex: () => Array.from(hash.clone().digest(), (byte) => byte.toString(16).padStart(2, "0")).join(""),
    };
  },
};

let connected: Client | undefined;

/** Of the locks of the uploads, by the ids of their streams. */
const releases = new Map<string, () => void>();

function client(): Client {
  connected ??= new Client(socketAddressOf(settingOf("audio-path")), {
    platform,
    name: "wavecache page",
    // A server may be away for as long as the page is open.
    retry: { retries: Number.MAX_SAFE_INTEGER },
  });
  return connected;
}

/** Adds files, of which one that was interrupted continues. */
export async function addFiles(files: readonly DroppedFile[]): Promise<void> {
  for (const { file, name } of files) {
    const known = uploads.value.find(({ record }) => isOf(record, file, name));
    if (known?.file !== undefined && known.state.value !== "failed") continue;
    if (known === undefined) await add(file, name);
    else continueWith(known, file);
  }
  startNext();
}

/** Brings back what a reload of the page interrupted. */
export async function restoreUploads(kept: readonly KeptUpload[]): Promise<void> {
  for (const { file, ...record } of kept) {
    const release = await lockUpload(record.streamId);
    if (release === undefined) continue;
    releases.set(record.streamId, release);
    uploads.value = [...uploads.value, new Upload(record, file)];
  }
  startNext();
}

export function pauseUpload(upload: Upload): void {
  upload.pause();
  startNext();
}

export function resumeUpload(upload: Upload): void {
  upload.resume();
  startNext();
}

/** Takes an upload off the list. What the server has of it expires there. */
export function dropUpload(upload: Upload): void {
  upload.pause();
  uploads.value = uploads.value.filter((each) => each !== upload);
  forget(upload);
  startNext();
}

function forget({ record: { streamId } }: Upload): void {
  releases.get(streamId)?.();
  releases.delete(streamId);
  forgetUpload(streamId).catch(notifyError);
}

export function clearFinished(): void {
  uploads.value = uploads.value.filter(({ isOver }) => !isOver);
}

function isOf(record: UploadRecord, file: File, name: string): boolean {
  return record.name === name && record.size === file.size && record.lastModified === file.lastModified;
}

async function add(file: File, name: string): Promise<void> {
  const { type, size, lastModified } = file;
  const record = { streamId: newStreamId(), name, type, size, lastModified };
  const release = await lockUpload(record.streamId);
  if (release !== undefined) releases.set(record.streamId, release);
  uploads.value = [...uploads.value, new Upload(record, file)];
  // A large file takes a while to be kept, and is sent meanwhile.
  keepUpload(record, file).catch(() => notify(`${name} will not continue after a reload of this page`));
}

function continueWith(upload: Upload, file: File): void {
  upload.file = file;
  upload.resume();
}

function startNext(): void {
  const running = uploads.value.filter(({ state }) => state.value === "running").length;
  const waiting = uploads.value.filter(({ state }) => state.value === "waiting");
  for (const upload of waiting.slice(0, Math.max(0, maxRunning - running))) void run(upload);
}

async function run(upload: Upload): Promise<void> {
  await upload.run(client(), findStream);
  if (upload.isOver) {
    finishedUploads.value += 1;
    forget(upload);
  }
  startNext();
}
