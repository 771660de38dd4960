/** A file that is open already, as audio. */
import type { AudioDescription, AudioFile } from "./audio.ts";
import { answerAudio, type AudioRequest } from "./answer.ts";

/** The part of an open file that is needed here. */
export interface OpenedFile {
  readonly size: number;
  /** Leads to the file while it is open. */
  readonly path: string;
  read(offset: number, length: number, into?: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>>;
  close(): Promise<void>;
}

/** `isImmutable`: nobody writes to the file. */
export function audioOf(file: OpenedFile, isImmutable: boolean): AudioFile {
  return {
    read: (offset, length, into) => file.read(offset, length, into),
    openRange: async () => ({ path: file.path, isImmutable, close: async () => {} }),
    close: () => file.close(),
  };
}

/** Answers with a file, and closes it. */
export async function answerFile(
  asked: AudioRequest,
  audio: AudioDescription,
  file: OpenedFile,
): Promise<Response> {
  let isSent = false;
  const open = async (): Promise<AudioFile> => {
    isSent = true;
    return audioOf(file, false);
  };
  try {
    return await answerAudio(asked, audio, open);
  } finally {
    // An answer without audio has no use for it.
    if (!isSent) await file.close();
  }
}
