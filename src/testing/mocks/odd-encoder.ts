/** An encoding thread for tests: the end of the store path selects what it does. */
import type { EncoderReply, EncoderRequest } from "../../store/sounds/encoder-calls.ts";

declare const self: {
  onmessage: ((event: { data: EncoderRequest }) => void) | null;
  postMessage(message: EncoderReply): void;
};

self.onmessage = ({ data }) => {
  if (data.kind === "close") self.onmessage = null;
  if (data.kind !== "encode") return;
  const { id, storePath } = data;
  if (storePath.endsWith("die")) process.exit(1);
  if (storePath.endsWith("throw")) throw new Error("as requested");
  if (storePath.endsWith("hang")) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  if (storePath.endsWith("wait")) return;
  self.postMessage({ kind: "packets", id, bytes: Uint8Array.of(1, 2, 3), lengths: Uint16Array.of(1, 2) });
  self.postMessage({ kind: "ended", id, end: { kind: "complete", storeProblem: undefined } });
};
