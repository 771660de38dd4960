/** The state of a server at one moment, as `top` gets it over HTTP. */
import type { ApiOptions } from "../../client/http/api.ts";
import { ClientError } from "../../client/errors.ts";
import { type ListedDevice, listDevices } from "../../client/http/devices.ts";
import type { Exposition } from "../../client/http/exposition.ts";
import { readMetrics, readReasons } from "../../client/http/state.ts";
import { type ListedStream, listStreams } from "../../client/http/streams.ts";

/** More are not shown, and a list of a million streams would take longer than the interval. */
const maxUploads = 500;

export interface Snapshot {
  /** Monotonic milliseconds. */
  atMs: number;
  metrics: Exposition;
  /** Codes of the reasons why the server is not ready. */
  reasons: string[];
  /** Undefined if the caller may not list them. */
  uploads: Pick<ListedStream, "streamId" | "size">[] | undefined;
  devices: ListedDevice[] | undefined;
}

/** Throws ClientError if the server cannot be reached, or shows no metrics to the caller. */
export async function takeSnapshot(options: ApiOptions): Promise<Snapshot> {
  const [metrics, reasons, uploads, devices] = await Promise.all([
    readMetrics(options),
    readReasons(options),
    ifAllowed(listStreams({ ...options, state: "unfinished", limit: maxUploads })),
    ifAllowed(listDevices({ ...options, connected: true })),
  ]);
  return { atMs: performance.now(), metrics, reasons, uploads: uploads?.streams, devices: devices?.devices };
}

/** A token may see metrics alone, and a server that starts has no lists yet. */
async function ifAllowed<T>(list: Promise<T>): Promise<T | undefined> {
  try {
    return await list;
  } catch (error) {
    if (error instanceof ClientError && (error.code === "REFUSED" || error.code === "BUSY")) return undefined;
    throw error;
  }
}
