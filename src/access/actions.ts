/** What a principal may do, and what it may do that to. Resources are paths, which grants match by glob. */

export const actions = [
  /** Store audio as a stream. */
  "upload",
  "read",
  "list",
  "remove",
  /** Send live audio, which the server records. */
  "ingest",
  /** Hear a recording in progress. */
  "listen",
  /** Connect as a device. */
  "device",
  /** Operate devices of others. */
  "control",
  "metrics",
  /** Make and revoke tokens, and read the audit. Whoever may do this may grant itself everything. */
  "admin",
] as const;

export type Action = (typeof actions)[number];

/** The resource of the actions that concern the server as a whole. */
export const serverResource = "server";

/** The folders of resources, as lists have them. */
export type ResourceFolder = "streams" | "recordings" | "library" | "devices";

export function resourceOf(folder: ResourceFolder, name: string): string {
  return `${folder}/${name}`;
}

/** A recording belongs to its device: by its hardware id, or without one by its stream id. */
export function recordingResource(device: string | null, streamId: number): string {
  return resourceOf("recordings", device ?? String(streamId));
}

export function isAction(text: string): text is Action {
  return (actions as readonly string[]).includes(text);
}
