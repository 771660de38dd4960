/** Reads a range of a file as a whole. */
import type { FileRef, ReadSink } from "../../pool/reader.ts";

interface RangeSource {
  read(file: FileRef, offset: number, length: number, sink: ReadSink): void;
}

/** Fills `bytes` from `offset` on. Rejects as the read fails. */
export function readInto(
  source: RangeSource,
  file: FileRef,
  offset: number,
  bytes: Uint8Array,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let filled = 0;
    source.read(file, offset, bytes.length, {
      part: (audio, isLast) => {
        bytes.set(audio, filled);
        filled += audio.length;
        if (isLast) resolve();
      },
      failed: reject,
    });
  });
}
