/** The thread that encodes sounds for devices. */
import type { EncoderReply, EncoderRequest } from "../src/store/sounds/encoder-calls.ts";
import { EncodeJobs } from "./jobs/sounds/encode-jobs.ts";
import { inspect } from "./jobs/sounds/inspect-jobs.ts";

declare const self: {
  onmessage: ((event: { data: EncoderRequest }) => void) | null;
  postMessage(message: EncoderReply, transfer?: ArrayBuffer[]): void;
};

// The decoders print errors to the console, and return them too.
// oxlint-disable-next-line no-console
console.error = () => {};

const jobs = new EncodeJobs((reply, transfer) => self.postMessage(reply, transfer));

self.onmessage = ({ data }) => {
  if (data.kind === "encode" || data.kind === "measure") jobs.encode(data);
  else if (data.kind === "inspect") void inspect(data, (reply) => self.postMessage(reply));
  else if (data.kind === "cancel") jobs.cancel(data.id);
  else {
    jobs.close();
    self.onmessage = null;
  }
};
