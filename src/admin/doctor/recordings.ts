/** Recordings: the catalog against the files, both ways, and whether each WAV opens. */
import * as fs from "node:fs";
import { join } from "node:path";
import { parseWavHead, wavHeaderBytes } from "../../codec/wav/wav.ts";
import { sizeOfFile } from "../../store/layout.ts";
import type { RecordingRow } from "../../store/recordings/catalog.ts";
import { isHere } from "../../store/recordings/place.ts";
import { RecordingKeeper } from "../../store/recordings/keeper.ts";
import { listSegments } from "../../store/recordings/repair.ts";
import type { SqliteCatalog } from "../../store/streams/sqlite/catalog.ts";
import { allRecordings } from "../catalog-pages.ts";
import { isSound } from "../files.ts";
import type { Examination } from "./examination.ts";

export async function examineRecordings(examination: Examination): Promise<void> {
  examination.progress.step("recordings:");
  let done = 0;
  if (await isFolderLost(examination)) return;
  for await (const page of allRecordings(examination.store.reader)) {
    for (const recording of page) {
      await examineRecording(examination, recording);
      examination.progress.count((done += 1));
    }
  }
  examination.figures["recordings"] = done;
}

/** An empty folder is one that is not mounted, or a wrong one: no entry may be removed because of it. */
async function isFolderLost(examination: Examination): Promise<boolean> {
  const { recordingsDir, reader } = examination.store;
  const [first] = await reader.call("recordingsAfter", { id: 0, limit: 1 });
  if (first === undefined || listSegments(recordingsDir).size > 0) return false;
  const message = "the catalog has recordings, and this folder has none";
  await examination.report({ code: "recordings-lost", subject: recordingsDir, message });
  return true;
}

async function examineRecording(examination: Examination, recording: RecordingRow): Promise<void> {
  const { recordingsDir } = examination.store;
  const { id, name } = recording;
  const paths = [join(recordingsDir, `${name}.bin`), join(recordingsDir, `${name}.wav`)];
  if (!isHere(recording) || paths.some((path) => fs.existsSync(path))) {
    for (const extension of ["bin", "wav"] as const) await examineFile(examination, recording, extension);
    return;
  }
  const problem = { code: "recording-missing", subject: name, message: "its files are missing" };
  await examination.report({ ...problem, mend: "remove its entry" }, (catalog) =>
    catalog.recordings.remove(id),
  );
}

async function examineFile(
  examination: Examination,
  recording: RecordingRow,
  extension: "bin" | "wav",
): Promise<void> {
  const { store, options } = examination;
  const subject = `${recording.name}.${extension}`;
  const path = join(store.recordingsDir, subject);
  const { bytes, sha256 } = recording[extension];
  if (sizeOfFile(path) === undefined) {
    // The archive has the samples, which were evicted here, or are removed by hand.
    if (extension === "wav" && recording.archive !== undefined) return;
    await examination.report({ code: "recording-missing", subject, message: "the file is missing" });
  } else if (!(await isSound(path, bytes, sha256, options.deep))) {
    await examination.report({
      code: "recording-changed",
      subject,
      message: "the file is not what was recorded",
    });
  } else if (extension === "wav" && !opensAsWav(path, recording)) {
    await examination.report({ code: "recording-unreadable", subject, message: "the header is damaged" });
  }
}

function opensAsWav(path: string, { sampleRate, channels, samples, wav }: RecordingRow): boolean {
  const head = new Uint8Array(wavHeaderBytes);
  const descriptor = fs.openSync(path, "r");
  try {
    fs.readSync(descriptor, head, 0, head.length, 0);
  } finally {
    fs.closeSync(descriptor);
  }
  const parsed = parseWavHead(head, wav.bytes);
  if (parsed.kind !== "format") return false;
  const { format } = parsed;
  const isAsRecorded = format.sampleRate === sampleRate && format.channels === channels;
  return isAsRecorded && format.dataBytes === samples * format.frameBytes;
}

/** Segments that a crash left outside the catalog. The next start repairs them, too. */
export async function examineSegments(examination: Examination, catalog: SqliteCatalog): Promise<void> {
  const { recordingsDir: folder } = examination.store;
  const keeper = new RecordingKeeper(catalog, async () => false);
  for (const name of listSegments(folder)) {
    if (catalog.recordings.has(name)) continue;
    const message = "the catalog does not have this recording";
    const problem = { code: "recording-unlisted", subject: name, message, mend: "repair and enter it" };
    await examination.report(problem, () => keeper.repair({ folder, names: [name] }));
  }
}
