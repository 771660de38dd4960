import { expect, test } from "bun:test";
import { codecImaAdpcm, codecPcm16 } from "../../wire/ingest.ts";
import { UnenteredBytes } from "./unentered-bytes.ts";

const segment = (name: string, bytes: number) => ({
  name,
  bin: { bytes, sha256: "" },
  wav: { bytes, sha256: "" },
});

test("a frame counts as it is and as samples, which are four times as long for ADPCM", () => {
  const pcm = new UnenteredBytes({ codec: codecPcm16 });
  pcm.receive(12 + 100);
  expect(pcm.receivedBytes).toBe(212);
  const adpcm = new UnenteredBytes({ codec: codecImaAdpcm });
  adpcm.receive(12 + 100);
  expect(adpcm.receivedBytes).toBe(512);
});

test("a complete segment counts with its files until the catalog has it, and what came after it still counts", () => {
  const bytes = new UnenteredBytes({ codec: codecPcm16 });
  bytes.receive(12 + 100);
  bytes.receive(12 + 100);
  bytes.complete(segment("a", 100));
  expect(bytes.receivedBytes).toBe(424);
  expect(bytes.bytesOf("a")).toBe(200);
  bytes.enter("a");
  expect(bytes.receivedBytes).toBe(224);
  // A segment with more silence than frames.
  bytes.complete(segment("b", 1000));
  expect(bytes.receivedBytes).toBe(2000);
  bytes.enter("b");
  expect(bytes.receivedBytes).toBe(0);
});

test("a recording is over when it has ended and the catalog has all of it", async () => {
  const bytes = new UnenteredBytes({ codec: codecPcm16 });
  let isOver = false;
  void bytes.over.then(() => (isOver = true));
  bytes.receive(100);
  bytes.complete(segment("a", 10));
  bytes.end();
  await Promise.resolve();
  expect(isOver).toBe(false);
  bytes.enter("a");
  await bytes.over;
  expect(bytes.receivedBytes).toBe(0);
});
