/** Reads what finished audio says of itself. The reads take turns with the steps of sounds that are encoded. */
import { open } from "node:fs/promises";
import type { EncoderReply, EncoderRequest } from "../../../src/store/sounds/encoder-calls.ts";
import { type AudioFindings, noFindings, readFindings } from "../../../src/store/streams/audio-reading.ts";

type InspectRequest = Extract<EncoderRequest, { kind: "inspect" }>;

export async function inspect(
  { id, path, format }: InspectRequest,
  post: (reply: EncoderReply) => void,
): Promise<void> {
  post({ kind: "inspected", id, findings: await findingsOf(path, format) });
}

/** An object that cannot be opened says nothing: the check and the scrub report it. */
async function findingsOf(path: string, format: string): Promise<AudioFindings> {
  try {
    await using handle = await open(path, "r");
    const { size } = await handle.stat();
    const read = async (offset: number, length: number): Promise<Uint8Array> => {
      const { buffer, bytesRead } = await handle.read(new Uint8Array(length), 0, length, offset);
      if (bytesRead < length) throw new Error("the file is shorter than it was");
      return buffer;
    };
    return await readFindings({ size, read }, format);
  } catch (error) {
    if (error instanceof Error) return noFindings;
    throw error;
  }
}
