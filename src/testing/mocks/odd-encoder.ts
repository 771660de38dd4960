/** An encoding thread for tests: the end of the store path selects what it does. */
import type { EncoderReply, EncoderRequest } from "../../store/sounds/encoder-calls.ts";

declare const self: {
  onmessage: ((event: { data: EncoderRequest }) => void) | null;
  postMessage(message: EncoderReply): void;
};

self.onmessage = ({ data }) => {
  if (data.kind === "close") self.onmessage = null;
  if (data.kind === "pushLive") encodeLive(data.id, data.pcm);
  if (data.kind !== "encode") return;
  const { id, storePath } = data;
  if (storePath.endsWith("die")) process.exit(1);
  if (storePath.endsWith("throw")) throw new Error("as requested");
  if (storePath.endsWith("hang")) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  if (storePath.endsWith("wait")) return;
  if (storePath.endsWith("slow")) void encodeSlowly(id);
  else encodeAtOnce(id);
};

/** The first byte of the audio selects what happens; otherwise it is the packet. */
function encodeLive(id: number, pcm: Uint8Array): void {
  if (pcm[0] === 1) process.exit(1);
  if (pcm[0] === 2) return;
  const [bytes, lengths] = [new Uint8Array(pcm), Uint16Array.of(1, pcm.length - 1)];
  if (pcm[0] === 3) self.postMessage({ kind: "liveFailed", id, errorNumber: 1, detail: "as requested" });
  else self.postMessage({ kind: "live", id, bytes, lengths, pushes: 1 });
}

function encodeAtOnce(id: number): void {
  self.postMessage({ kind: "packets", id, bytes: Uint8Array.of(1, 2, 3), lengths: Uint16Array.of(1, 2) });
  self.postMessage({ kind: "ended", id, end: { kind: "complete", storeProblem: undefined } });
}

/** Reports that it works for longer than the watchdog of the test waits. */
async function encodeSlowly(id: number): Promise<void> {
  for (let report = 0; report < 40; report++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    self.postMessage({ kind: "working", id });
  }
  encodeAtOnce(id);
}
