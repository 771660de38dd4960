/**
 * What nodes ask each other about uploads. The node that has an upload gets
 *
 *     uploads.<node>    request: { op: "release", streamId }              JSON
 *                       answer:  { bytes } | { error }                    how many are durable; JSON
 *                       request: { op: "remove", streamId }               JSON
 *                       answer:  { isRemoved: true } | { error }          JSON
 *                       request: { op: "read", streamId, key, offset }    JSON
 *                       answer:  u32 length of the head, little-endian; the head as JSON; audio from the offset on
 *                                head: { size, isOver } | { error }       bytes that can be read, whether more may come
 *
 * An error is a code of the error table.
 */
import * as v from "valibot";
import { decode, encode } from "./json.ts";

const whole = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const failure = v.object({ error: v.string() });

const request = v.variant("op", [
  v.object({ op: v.literal("release"), streamId: v.string() }),
  v.object({ op: v.literal("remove"), streamId: v.string() }),
  v.object({ op: v.literal("read"), streamId: v.string(), key: v.string(), offset: whole }),
]);
const released = v.union([failure, v.object({ bytes: whole })]);
const removed = v.union([failure, v.object({ isRemoved: v.literal(true) })]);
const head = v.union([failure, v.object({ size: whole, isOver: v.boolean() })]);

export type UploadRequest = v.InferOutput<typeof request>;
export type ReleaseAnswer = v.InferOutput<typeof released>;
export type RemoveAnswer = v.InferOutput<typeof removed>;
export type ReadHead = v.InferOutput<typeof head>;

const lengthBytes = 4;

export const encodeUploadRequest = (message: UploadRequest): Uint8Array => encode(message);
export const encodeRemoveAnswer = (message: RemoveAnswer): Uint8Array => encode(message);
export const encodeReleaseAnswer = (message: ReleaseAnswer): Uint8Array => encode(message);

export function encodeReadAnswer(message: ReadHead, audio: Uint8Array): Uint8Array {
  const json = encode(message);
  const answer = new Uint8Array(lengthBytes + json.length + audio.length);
  new DataView(answer.buffer).setUint32(0, json.length, true);
  answer.set(json, lengthBytes);
  answer.set(audio, lengthBytes + json.length);
  return answer;
}

/** Each is undefined for what is no such message. */
export function decodeUploadRequest(message: Uint8Array): UploadRequest | undefined {
  return decode(request, message);
}

export function decodeReleaseAnswer(message: Uint8Array): ReleaseAnswer | undefined {
  return decode(released, message);
}

export function decodeRemoveAnswer(message: Uint8Array): RemoveAnswer | undefined {
  return decode(removed, message);
}

export function decodeReadAnswer(message: Uint8Array): { head: ReadHead; audio: Uint8Array } | undefined {
  if (message.length < lengthBytes) return undefined;
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  const end = lengthBytes + view.getUint32(0, true);
  const found = end <= message.length ? decode(head, message.subarray(lengthBytes, end)) : undefined;
  return found && { head: found, audio: message.subarray(end) };
}
