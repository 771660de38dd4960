/** Downloads one stream into a file, and continues what an interrupted download has left there. */
import { ClientError } from "../../client/errors.ts";
import type { ListedStream } from "../../client/http/streams.ts";
import { OutputFile } from "../kit/output-file.ts";
import { noSuchStream } from "../streams/catalog.ts";
import type { Downloaded, TransferSession } from "../streams/transfer-session.ts";

/** A stream of the server. */
export interface Wanted {
  /** As the user typed it. */
  idOrName: string;
  streamId: string;
  /** Undefined if the server has no stream list. */
  info: ListedStream | undefined;
  /** Undefined if unknown, or if the stream is unfinished and may grow. */
  sizeBytes: number | undefined;
  sha256: string | undefined;
}

export interface Fetched extends Downloaded {
  /** Bytes that were in the file already. */
  keptBytes: number;
}

/** Throws a CliError if the stream does not exist. */
export async function wantedOf(idOrName: string, session: TransferSession): Promise<Wanted> {
  const info = await session.info(idOrName);
  if (info === undefined) throw noSuchStream(idOrName);
  if (info === "unknown" || info.state === "unfinished") {
    const known = info === "unknown" ? undefined : info;
    const streamId = known?.streamId ?? idOrName;
    return { idOrName, streamId, info: known, sizeBytes: undefined, sha256: undefined };
  }
  const { streamId, size: sizeBytes, sha256 } = info;
  return { idOrName, streamId, info, sizeBytes, sha256: sha256 ?? undefined };
}

/**
 * Writes the stream to `path`. An interrupted download stays as a temporary file, if a digest can tell later that the
 * stream is the same. Throws MISMATCH if the whole has another digest.
 */
export async function fetchToFile(
  wanted: Wanted,
  path: string,
  mayReplace: boolean,
  session: TransferSession,
  onProgress: (bytes: number) => void,
): Promise<Fetched> {
  const output = await OutputFile.create(path, { mayReplace, contentId: wanted.sha256 });
  try {
    const fetched = await fetchRest(wanted, output, session, onProgress);
    await output.commit();
    return fetched;
  } catch (error) {
    const isWrong = error instanceof ClientError && error.code === "MISMATCH";
    if (wanted.sha256 !== undefined && !isWrong) output.release();
    throw error;
  } finally {
    await output.discard();
  }
}

async function fetchRest(
  wanted: Wanted,
  output: OutputFile,
  session: TransferSession,
  onProgress: (bytes: number) => void,
): Promise<Fetched> {
  const { streamId, sizeBytes, sha256 } = wanted;
  if (output.keptBytes > (sizeBytes ?? 0)) output.restart();
  const keptBytes = output.keptBytes;
  const job = { streamId, offset: keptBytes, sizeBytes, sha256, onProgress };
  if (keptBytes === 0) return { ...(await session.download({ ...job, sink: output })), keptBytes };
  const digests = session.newDigests();
  output.readKept((offset, bytes) => digests.update(offset, bytes));
  const sink = {
    write: (bytes: Uint8Array) => {
      digests.update(digests.positionBytes, bytes);
      output.write(bytes);
    },
  };
  onProgress(keptBytes);
  const isWhole = keptBytes === sizeBytes;
  const whole = { streamId, sizeBytes: keptBytes, ending: "size" as const, reconnects: 0 };
  const downloaded = isWhole ? whole : await session.download({ ...job, sink });
  const values = digests.values();
  if (values.sha256 !== sha256) {
    throw new ClientError("MISMATCH", `SHA-256 is ${values.sha256} instead of ${sha256}`);
  }
  return { ...downloaded, digests: values, verified: true, keptBytes };
}
