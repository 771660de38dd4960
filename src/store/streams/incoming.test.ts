import { expect, test } from "bun:test";
import { join } from "node:path";
import { id3Tag, riffFile } from "../../testing/fixtures/riff.ts";
import { temporaryFolder } from "../../testing/fixtures/temporary-folder.ts";
import { IncomingFile } from "./incoming.ts";

test.each([
  ["WAV", riffFile([]), "audio/wav"],
  ["WAV behind a long tag", Buffer.concat([id3Tag(5_000), riffFile([])]), "audio/wav"],
  ["FLAC behind a short tag", Buffer.concat([id3Tag(20), Buffer.from("fLaC1234")]), "audio/flac"],
  ["a tag before something unknown", Buffer.concat([id3Tag(5_000), Buffer.alloc(100)]), "audio/mpeg"],
  ["a tag that is cut off", id3Tag(5_000).subarray(0, 100), "audio/mpeg"],
  ["something unknown", Buffer.alloc(100), undefined],
])("the format of a sealed file is that of its audio: %s", (_, bytes, format) => {
  using folder = temporaryFolder();
  const file = IncomingFile.create(join(folder.path, "upload"));
  file.append(bytes, 0, bytes.length);
  expect(file.seal()).toMatchObject({ size: bytes.length, format });
});
