/** The thread that encodes sounds for devices, and live audio for its listeners. */
import type { EncoderReply, EncoderRequest } from "../src/store/sounds/encoder-calls.ts";
import { EncodeJobs } from "./jobs/sounds/encode-jobs.ts";
import { LiveEncoders } from "./jobs/live/live-encoders.ts";
import { inspect } from "./jobs/sounds/inspect-jobs.ts";

declare const self: {
  onmessage: ((event: { data: EncoderRequest }) => void) | null;
  postMessage(message: EncoderReply, transfer?: ArrayBuffer[]): void;
};

// The decoders print errors to the console, and return them too.
// oxlint-disable-next-line no-console
console.error = () => {};

const post = (reply: EncoderReply, transfer?: ArrayBuffer[]) => self.postMessage(reply, transfer);
const jobs = new EncodeJobs(post);
const live = new LiveEncoders(post);

self.onmessage = ({ data }) => {
  if (data.kind === "encode" || data.kind === "measure") jobs.encode(data);
  else if (data.kind === "inspect") void inspect(data, (reply) => self.postMessage(reply));
  else if (data.kind === "cancel") jobs.cancel(data.id);
  else if (data.kind === "pushLive") live.push(data.id, data.pcm);
  else if (data.kind === "openLive") live.open(data.id, data);
  else if (data.kind === "closeLive") live.close(data.id);
  else {
    jobs.close();
    live.closeAll();
    self.onmessage = null;
  }
};
