/**
 * What the messages of protocol v1 cost on one thread: the CRC-32 of audio, portable and native, and decoding and
 * encoding of messages.
 *
 *     bun bench/micro/v1.ts [--quick]
 */
import { crc32 } from "node:zlib";
import { KiB } from "../../src/base/limits/units.ts";
import { usualDataBytes } from "../../src/base/limits/v1.ts";
import { type Crc32, portableCrc32 } from "../../src/wire/v1/crc32.ts";
import { dataHeadBytes, encodeData, writeDataHead } from "../../src/wire/v1/data.ts";
import { decodeClientMessage, decodeServerMessage } from "../../src/wire/v1/decode.ts";
import { encodeMessage } from "../../src/wire/v1/encode.ts";
import type { ServerMessage } from "../../src/wire/v1/messages.ts";
import { type Case, compare, millions, quick } from "./measure.ts";

const count = quick ? 10 : 2_000;

const gigabytes = (perSecond: number) => `${(perSecond / 1e9).toFixed(2).padStart(8)} GB/s`;

function summing(name: string, sum: Crc32, bytes: number): Case {
  const audio = Uint8Array.from({ length: bytes }, (_, index) => (index * 31) ^ (index >>> 8));
  const run = () => {
    for (let done = 0; done < count; done += 1) {
      audio[0] = done;
      sum(audio);
    }
    return count * bytes;
  };
  return { name: `${name}, ${bytes / KiB} KiB`, run, show: gigabytes };
}

function repeating(name: string, once: (index: number) => unknown): Case {
  const run = () => {
    let made = 0;
    for (let index = 0; index < count; index += 1) if (once(index) !== undefined) made += 1;
    return made;
  };
  return { name, run, show: millions("messages") };
}

const payload = new Uint8Array(usualDataBytes);
const frame = new Uint8Array(dataHeadBytes + usualDataBytes);
const data = encodeData({ channel: 300, offset: 2 ** 33, crc: 0xcbf43926, payload });
const credit = encodeMessage({ type: "CREDIT", channel: 300, bytes: usualDataBytes });
const ack: ServerMessage = { type: "ACK", channel: 300, written: 2 ** 33, durable: 2 ** 32 };
const ackBytes = encodeMessage(ack);
const read = encodeMessage({
  type: "READ",
  channel: 300,
  streamId: "stream-1",
  offset: 0,
  length: undefined,
});
const tags = { artist: "nobody", title: "nothing" };
const write = encodeMessage({
  type: "WRITE",
  channel: 300,
  streamId: "stream-1",
  mode: "create",
  metadata: { contentType: "audio/wav", format: undefined, tags },
});

const sizes = quick ? [KiB] : [8 * KiB, usualDataBytes];
await compare("CRC-32", [
  ...sizes.map((size) => summing("portable, 16 bytes a step", portableCrc32, size)),
  ...sizes.map((size) => summing("node:zlib", crc32, size)),
  ...sizes.map((size) => summing("Bun.hash.crc32", Bun.hash.crc32, size)),
]);
await compare("MESSAGES OF V1", [
  repeating("decode DATA", () => decodeClientMessage(data)),
  repeating("write the head of DATA", (index) => writeDataHead(frame, 0, 300, index, index, usualDataBytes)),
  repeating("decode CREDIT", () => decodeClientMessage(credit)),
  repeating("encode CREDIT", (bytes) => encodeMessage({ type: "CREDIT", channel: 300, bytes: bytes + 1 })),
  repeating("decode ACK", () => decodeServerMessage(ackBytes)),
  repeating("encode ACK", () => encodeMessage(ack)),
  repeating("decode READ", () => decodeClientMessage(read)),
  repeating("decode WRITE with two tags", () => decodeClientMessage(write)),
]);
