/** `HEAD /api/objects/{sha256}`: whether the server has this audio, so that nobody uploads it in vain. */
import * as v from "valibot";
import { resourceOf } from "../../../access/actions.ts";
import type { Principal } from "../../../access/principal.ts";
import { WavecacheError } from "../../../base/errors.ts";
import type { Receipt } from "../../../engine/streams/upload-state.ts";
import type { UploadOwner } from "../../../engine/streams/upload.ts";
import type { StreamRow } from "../../../store/streams/catalog.ts";
import type { StreamMetadata } from "../../../store/streams/metadata.ts";
import { json, type Operation, operation } from "../operation.ts";
import { countSchema, sha256Schema } from "../schemas.ts";

/** What the operations need of the engine. */
export interface Objects {
  /** Some of the finished streams with this audio; none if it is damaged, or not there. */
  streamsOf(sha256: string): Promise<StreamRow[]>;
  /** Makes a finished stream of audio that is there. */
  adopt(
    streamId: string,
    sha256: string,
    metadata: StreamMetadata,
    account: UploadOwner["account"],
  ): Promise<Receipt>;
}

const objectSchema = v.strictObject({ sha256: sha256Schema, size: countSchema });

export function objectOperation(objects: Objects): Operation {
  return operation({
    method: "get",
    route: "/api/objects/:sha256",
    tag: "streams",
    access: { action: "read", within: "streams" },
    summary: "Whether there is a finished stream with this audio.",
    segments: { sha256: "The SHA-256 of the audio, in hex." },
    parameters: {},
    answers: { 200: { description: "The audio is there.", schema: objectSchema } },
    errors: ["OBJECT_UNKNOWN"],
    async handle({ path, principal, meter }) {
      const sha256 = path["sha256"]!.toLowerCase();
      if (!v.is(sha256Schema, sha256)) throw new WavecacheError("OBJECT_UNKNOWN");
      return json({ sha256, size: await readableObject(objects, sha256, principal) }, meter);
    },
  });
}

/** The size of the object. Throws OBJECT_UNKNOWN, also to a caller that may read none of the streams with this audio. */
export async function readableObject(
  objects: Objects,
  sha256: string,
  principal: Principal,
): Promise<number> {
  const rows = await objects.streamsOf(sha256);
  const row = rows.find(({ streamId }) => principal.may("read", resourceOf("streams", streamId)));
  if (row === undefined) throw new WavecacheError("OBJECT_UNKNOWN");
  return row.size;
}
