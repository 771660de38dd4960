/** Query parameters of all operations on audio. */
import * as v from "valibot";
import { choice, type Parameter } from "../parameters.ts";

/** Formats that audio may be converted to one day. */
const formats = ["wav", "mp3", "opus", "flac"];

/** Reserved: a client that asks for a format must not get another one. */
const format: Parameter<undefined> = {
  description: "Reserved. The audio comes in the format that it was stored in.",
  describes: { type: "string", enum: formats },
  schema: v.undefined(
    "audio is not converted yet; leave the parameter out to get the audio as it was stored",
  ),
};

export const audioParameters = {
  download: choice(["0", "1"], "1 asks browsers to save the audio instead of playing it."),
  format,
};

export const audioRequestHeaders = {
  range: "Parts of the audio, in bytes (RFC 9110, section 14.2).",
  "if-range": "An ETag or date: another audio than that is sent as a whole.",
  "if-match": "ETags: another audio than these is refused with 412.",
  "if-none-match": "ETags: one of these is answered with 304.",
  "if-modified-since": "A date: audio that has not changed since is answered with 304.",
  "if-unmodified-since": "A date: audio that has changed since is refused with 412.",
};

const headers = {
  "accept-ranges": "bytes",
  "cache-control": "How long the audio may be cached.",
  "content-disposition": "The name to save the audio under (RFC 6266).",
  etag: "A strong validator.",
  "last-modified": "When the audio was complete.",
  "repr-digest": "The SHA-256 of all of the audio (RFC 9530).",
};

const content = ["*/*"];

export const audioAnswers = {
  200: { description: "All of the audio.", content, headers },
  206: {
    description: "The parts that Range asks for; several as multipart/byteranges.",
    content,
    headers: { ...headers, "content-range": "Which part of the audio it is." },
  },
  304: { description: "The client has this audio already." },
};
