/** Reads the journal in steps of a few milliseconds. */
import * as fs from "node:fs";
import { MiB } from "../../base/limits/units.ts";
import { countingFiles, type JournalPosition } from "./journal.ts";

const linesPerStep = 200;
const blockBytes = 1 * MiB;

/** The lines after a position, up to the end of the journal. Yields all of them if the position's file is gone. */
export async function* readJournal(folder: string, after?: JournalPosition): AsyncGenerator<string[]> {
  const files = countingFiles(folder);
  const isKnown = files.some(({ number }) => number === after?.number);
  for (const { number, path } of files) {
    if (isKnown && number < after!.number) continue;
    const from = isKnown && number === after!.number ? after!.bytes : 0;
    for await (const lines of readLines(path, from)) yield* stepsOf(lines);
  }
}

function* stepsOf(lines: string[]): Generator<string[]> {
  for (let from = 0; from < lines.length; from += linesPerStep) yield lines.slice(from, from + linesPerStep);
}

async function* readLines(path: string, from: number): AsyncGenerator<string[]> {
  const file = await fs.promises.open(path, "r");
  try {
    const block = Buffer.alloc(blockBytes);
    let position = from;
    let begun: Uint8Array = new Uint8Array();
    for (;;) {
      const { bytesRead } = await file.read(block, 0, blockBytes, position);
      if (bytesRead === 0) break;
      position += bytesRead;
      const bytes = Buffer.concat([begun, block.subarray(0, bytesRead)]);
      const end = bytes.lastIndexOf("\n") + 1;
      if (end > 0) yield bytes.toString("utf8", 0, end - 1).split("\n");
      // No line is as long as a block: what is longer is garbage.
      begun = bytes.length - end > blockBytes ? new Uint8Array() : bytes.subarray(end);
    }
    if (begun.length > 0) yield [Buffer.from(begun).toString("utf8")];
  } finally {
    await file.close();
  }
}
