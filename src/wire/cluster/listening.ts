/**
 * What nodes say to each other about live audio. Texts are JSON; audio is in the messages of ../live.ts.
 *
 *     find.<name>            request: empty            a recording in progress, by hardware id or stream id
 *                            answer:  { connection, hwid, streamId, codec, frameSamples, sampleRate, channels }
 *     listen.<connection>    request: { listener, isOver }  audio, until it says that this is over
 *                            answer:  {}
 *     audio.<connection>     LiveAudio; an empty message ends the recording
 *
 * An answer is { error } instead if the request is refused. The request to listen is repeated before its lease ends.
 */
import * as v from "valibot";
import { maxIngestChannels, maxSampleRate } from "../ingest.ts";
import { decode, encode } from "./json.ts";

/** Connections and listeners have UUIDs. */
const id = v.pipe(v.string(), v.uuid());
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const upTo = (max: number) => v.pipe(v.number(), v.safeInteger(), v.minValue(1), v.maxValue(max));

const refused = v.object({ error: v.string() });
const foundAnswer = v.union([
  refused,
  v.object({
    connection: id,
    hwid: v.nullable(v.string()),
    streamId: count,
    codec: count,
    frameSamples: count,
    sampleRate: upTo(maxSampleRate),
    channels: upTo(maxIngestChannels),
  }),
]);
const listenRequest = v.object({ listener: id, isOver: v.boolean() });
const listenAnswer = v.union([refused, v.strictObject({})]);

export type Refused = v.InferOutput<typeof refused>;
export type FoundAnswer = v.InferOutput<typeof foundAnswer>;
/** A recording in progress at another node. */
export type FoundRecording = Exclude<FoundAnswer, Refused>;
export type ListenRequest = v.InferOutput<typeof listenRequest>;
export type ListenAnswer = v.InferOutput<typeof listenAnswer>;

export const encodeFound = (answer: FoundAnswer): Uint8Array => encode(answer);
export const encodeListen = (request: ListenRequest): Uint8Array => encode(request);
export const encodeListenAnswer = (answer: ListenAnswer): Uint8Array => encode(answer);

/** The three are undefined for what is no such message. */
export function decodeFound(message: Uint8Array): FoundAnswer | undefined {
  return decode(foundAnswer, message);
}

export function decodeListen(message: Uint8Array): ListenRequest | undefined {
  return decode(listenRequest, message);
}

export function decodeListenAnswer(message: Uint8Array): ListenAnswer | undefined {
  return decode(listenAnswer, message);
}
