/** Tells the audio among the files of a folder from covers, texts and empty files. */
import { open } from "node:fs/promises";
import { sniffAudioFormat, sniffBytes } from "../../codec/sniff.ts";
import { systemCode } from "../../base/errors.ts";
import type { ListedFile } from "../kit/input-files.ts";
import { isAudioName } from "../streams/media-types.ts";

export interface IgnoredFile {
  file: ListedFile;
  reason: "empty" | "no audio";
}

/** Files that the command line names are always audio: the user wants them sent. */
export async function separateAudio(
  files: readonly ListedFile[],
): Promise<{ audio: ListedFile[]; ignored: IgnoredFile[] }> {
  const audio: ListedFile[] = [];
  const ignored: IgnoredFile[] = [];
  for (const file of files) {
    const reason = file.isInFolder ? await reasonToIgnore(file) : undefined;
    if (reason === undefined) audio.push(file);
    else ignored.push({ file, reason });
  }
  return { audio, ignored };
}

async function reasonToIgnore({
  path,
  name,
  sizeBytes,
}: ListedFile): Promise<IgnoredFile["reason"] | undefined> {
  if (sizeBytes === 0) return "empty";
  return isAudioName(name) || (await looksLikeAudio(path)) ? undefined : "no audio";
}

async function looksLikeAudio(path: string): Promise<boolean> {
  try {
    await using file = await open(path, "r");
    const head = new Uint8Array(sniffBytes);
    const { bytesRead } = await file.read(head, 0, head.length, 0);
    return sniffAudioFormat(head.subarray(0, bytesRead)) !== undefined;
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    // The upload of this file fails with the same error, and names it.
    return true;
  }
}
