/**
 * Stores what an interrupted upload has past its last part, so that another node continues it without a loss. The last of
 * these parts may be short: only a node that takes the upload over as it is may use it.
 */
import { failpoint } from "../../base/failpoint.ts";
import { bytesOf } from "../../store/archive/parts/catalog.ts";
import { beginParts, type OwnUpload, type PartsHost, wholeParts } from "./growing-parts.ts";

type TailHost = Pick<PartsHost, "keeper" | "archiver" | "partBytes" | "inSlot" | "isUnderWay" | "stored">;

export async function storeTail(host: TailHost, upload: OwnUpload, size: number): Promise<void> {
  const { keeper, archiver, partBytes } = host;
  const { streamId, key: fileKey } = upload;
  const known = await keeper.call("partsFind", { streamId });
  const isBegun = known !== null && known.uploadId !== null;
  const parts = isBegun ? wholeParts(known.parts) : [];
  let offset = bytesOf(parts);
  if (offset >= size) return;
  const ref = isBegun ? { key: known.key, uploadId: known.uploadId! } : await beginParts(host, upload);
  if (ref === undefined) return;
  for (let number = parts.length + 1; offset < size; number += 1) {
    const task = { fileKey, ref, number, offset, size: Math.min(partBytes, size - offset) };
    const storing = host.inSlot(() => archiver.call("storePart", task));
    host.isUnderWay(ref.key, storing);
    const part = await storing;
    failpoint("tail.stored");
    if (
      part === null ||
      !(await keeper.call("partsRecord", { upload: { streamId, key: fileKey }, ref, part }))
    )
      return;
    host.stored(part);
    offset += part.size;
  }
}
