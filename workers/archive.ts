/** The archiver thread: the requests to the object store. */
import type { ArchiverReply, ArchiverRequest } from "../src/store/archive/archiver-calls.ts";
import { ArchiveJobs } from "./jobs/archive/archive-jobs.ts";

declare const self: {
  onmessage: ((event: { data: ArchiverRequest }) => void) | null;
  postMessage(message: ArchiverReply): void;
};

let jobs: ArchiveJobs | undefined;

self.onmessage = ({ data }) => {
  if (data === "close") {
    jobs?.close();
    self.onmessage = null;
  } else if ("start" in data) jobs = new ArchiveJobs(data.start, (reply) => self.postMessage(reply));
  else void jobs?.run(data.serial, data.call, data.args);
};
