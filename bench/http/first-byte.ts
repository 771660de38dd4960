/** The time to the first byte of a short range over HTTP, while another process loads the WebSockets fully. */
import { Random } from "../../src/testing/harness/bytes.ts";
import { MiB } from "../../src/base/limits/units.ts";
import { Latency, type Percentiles } from "../load/latency.ts";
import type { Subject } from "../load/server.ts";
import { firstByteMs, put } from "./requests.ts";

const pauseMs = 10;
/** While the load starts, there is none. */
const settlingMs = 2_000;

export async function measureFirstBytes(subject: Subject): Promise<Percentiles> {
  await put(subject.httpBase, "first-byte", new Random(9).bytes(MiB));
  const url = `${subject.httpBase}/api/streams/first-byte/audio`;
  await firstByteMs(url);
  const flags = ["--server", subject.url, "--streams", "32", "--rounds", "5", "--without-ceilings"];
  await using load = Bun.spawn([process.execPath, `${import.meta.dir}/../load/main.ts`, ...flags], {
    stdout: "ignore",
    stderr: "inherit",
  });
  const latency = new Latency();
  const began = performance.now();
  while (load.exitCode === null) {
    const ms = await firstByteMs(url);
    if (load.exitCode === null && performance.now() - began > settlingMs) latency.record(ms);
    await Bun.sleep(pauseMs);
  }
  if (load.exitCode !== 0) throw new Error(`the load ended with status ${load.exitCode}`);
  return latency.percentiles();
}
