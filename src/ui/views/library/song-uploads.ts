/** Songs on their way into the library, one after the other. They go on while one moves about, and end with the page. */
import { type Signal, signal } from "@preact/signals";
import { ApiError } from "../../api/request.ts";
import { putSong } from "../../api/songs.ts";
import { notify } from "../../parts/toasts.tsx";
import { type DroppedFile, isAudioFile } from "../../uploads/dropped-files.ts";

export type SongUploadState = "waiting" | "running" | "taken" | "failed";

export interface SongUpload {
  name: string;
  file: File;
  state: Signal<SongUploadState>;
  sent: Signal<number>;
  error: Signal<unknown>;
  /** Whether the user has said that the song of this name may go. */
  replace: boolean;
  stop: AbortController;
}

/** Those that are under way, and those that the user has to decide about. */
export const songUploads = signal<readonly SongUpload[]>([]);
/** Counts the songs that were stored, so that the list loads again. */
export const storedSongs = signal(0);

let isBusy = false;

/** Uploads the audio among the files, and says what was left out. */
export async function addSongs(files: readonly DroppedFile[]): Promise<void> {
  const audio = files.filter(({ file }) => isAudioFile(file));
  const skipped = files.length - audio.length;
  if (skipped > 0) notify(`${skipped} ${skipped === 1 ? "file is" : "files are"} no audio, and not uploaded`);
  const names = new Set(audio.map(({ name }) => name));
  for (const earlier of songUploads.value.filter(({ name }) => names.has(name))) dropSong(earlier);
  const added = audio.map(({ file, name }) => newUpload(file, name));
  songUploads.value = [...songUploads.value, ...added];
  await runAll();
}

/** Tries again; `replace` takes the place of the song that has the name. */
export async function retrySong(upload: SongUpload, replace: boolean): Promise<void> {
  upload.replace = replace;
  upload.state.value = "waiting";
  await runAll();
}

/** Ends the upload, and takes it off the list. */
export function dropSong(upload: SongUpload): void {
  upload.stop.abort();
  songUploads.value = songUploads.value.filter((each) => each !== upload);
}

function newUpload(file: File, name: string): SongUpload {
  return {
    name,
    file,
    state: signal<SongUploadState>("waiting"),
    sent: signal(0),
    error: signal<unknown>(undefined),
    replace: false,
    stop: new AbortController(),
  };
}

async function runAll(): Promise<void> {
  if (isBusy) return;
  isBusy = true;
  try {
    for (let next = nextWaiting(); next !== undefined; next = nextWaiting()) await run(next);
  } finally {
    isBusy = false;
  }
}

function nextWaiting(): SongUpload | undefined {
  return songUploads.value.find(({ state }) => state.value === "waiting");
}

async function run(upload: SongUpload): Promise<void> {
  const { name, file, state, sent, error, replace, stop } = upload;
  state.value = "running";
  try {
    const onProgress = (bytes: number) => (sent.value = bytes);
    await putSong({ name, file, replace, signal: stop.signal, onProgress });
    storedSongs.value += 1;
    dropSong(upload);
  } catch (failure) {
    if (stop.signal.aborted) return;
    const isTaken = failure instanceof ApiError && failure.code === "SONG_EXISTS";
    error.value = failure;
    state.value = isTaken ? "taken" : "failed";
  }
}
