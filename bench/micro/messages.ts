/**
 * How fast control messages of the audio cache are decoded and encoded on one thread.
 *
 *     bun bench/micro/messages.ts [--quick]
 */
import {
  decodeReply,
  decodeRequest,
  encodeGet,
  encodeStart,
  encodeStarted,
  encodeStop,
  encodeStopped,
} from "../../src/wire/audio-cache.ts";
import { type Case, compare, millions, quick } from "./measure.ts";

const count = quick ? 10 : 10_000;
const sha256 = "0123456789abcdef".repeat(4);

/** Different texts, as from many streams: repeating one text would be a best case. */
function texts(make: (index: number) => string): string[] {
  return Array.from({ length: count }, (_, index) => make(index));
}

function decoding(name: string, inputs: string[], decode: (text: string) => unknown): Case {
  const run = () => {
    let known = 0;
    for (const input of inputs) if (decode(input) !== undefined) known += 1;
    return known;
  };
  return { name, run, show: millions("messages") };
}

function encoding(name: string, encode: (index: number) => string): Case {
  const run = () => {
    let chars = 0;
    for (let index = 0; index < count; index += 1) chars += encode(index).length;
    return chars > 0 ? count : 0;
  };
  return { name, run, show: millions("messages") };
}

const get = (index: number) => encodeGet(`stream-${index}`, index * 65_536, 65_536);
const stopped = (index: number) => encodeStopped("upper", `stream-${index}`, index, sha256);

await compare("CONTROL MESSAGES", [
  decoding(
    "decode START",
    texts((index) => encodeStart(`stream-${index}`)),
    decodeRequest,
  ),
  decoding("decode GET", texts(get), decodeRequest),
  decoding(
    "decode GET, spaced, keys reversed",
    texts((index) => `{ "length": 65536, "offset": ${index}, "streamId": "stream-${index}", "type": "get" }`),
    decodeRequest,
  ),
  decoding(
    "decode STOP",
    texts((index) => encodeStop(`stream-${index}`)),
    decodeRequest,
  ),
  decoding("decode STOPPED", texts(stopped), decodeReply),
  encoding("encode STARTED", (index) => encodeStarted("upper", `stream-${index}`)),
  encoding("encode STOPPED", stopped),
]);
