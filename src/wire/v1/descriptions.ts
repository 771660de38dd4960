/** Decodes what describes a stream: its metadata, and its row in a listing. */
import {
  maxCodecNameChars,
  maxContentTypeChars,
  maxDescribedChannels,
  maxDescribedSampleRate,
  maxStreamIdChars,
  maxTagKeyChars,
  maxTagValueChars,
  maxTags,
  maxTagsChars,
} from "../../base/limits/streams.ts";
import { BadField, Fields } from "./fields.ts";
import { type AudioFormat, type Metadata, type StreamInfo, streamStates } from "./messages.ts";

/** Later revisions may append elements, up to this number. */
const maxElements = 32;

/** A tag's key. It begins with a letter: an index or `__proto__` as a key would break the object of the tags. */
const tagKey = new RegExp(`^[A-Za-z][A-Za-z0-9_.-]{0,${maxTagKeyChars - 1}}$`);

export function metadataOf(fields: Fields): Metadata {
  const inner = new Fields(fields.list("metadata", maxElements));
  return {
    contentType: inner.optional(() => inner.text("content type", 1, maxContentTypeChars)),
    format: inner.optional(formatOf),
    tags: tagsOf(inner),
  };
}

export function infoOf(elements: unknown): StreamInfo {
  if (!Array.isArray(elements)) throw new BadField("a stream is not an array");
  const fields = new Fields(elements);
  return {
    streamId: fields.text("stream id", 1, maxStreamIdChars),
    state: fields.choice("state", streamStates),
    size: fields.whole("size"),
    sha256: fields.optional(() => fields.sha256()),
    createdAt: fields.whole("time of creation"),
    updatedAt: fields.whole("time of change"),
    finishedAt: fields.optional(() => fields.whole("time of the end")),
    metadata: metadataOf(fields),
  };
}

function formatOf(fields: Fields): AudioFormat {
  const inner = new Fields(fields.list("format", maxElements));
  return {
    codec: inner.text("codec", 1, maxCodecNameChars),
    sampleRate: inner.whole("sample rate", 1, maxDescribedSampleRate),
    channels: inner.whole("channels of the audio", 1, maxDescribedChannels),
  };
}

function tagsOf(fields: Fields): Record<string, string> {
  const map = fields.map("tags");
  if (map.size > maxTags) throw new BadField(`there are more than ${maxTags} tags`);
  const tags: Record<string, string> = {};
  let chars = 0;
  for (const [key, value] of map) {
    if (!tagKey.test(key)) throw new BadField("a tag's key is not allowed");
    if (typeof value !== "string" || !value.isWellFormed()) throw new BadField("a tag is not a text");
    if (value.length > maxTagValueChars) throw new BadField(`a tag is longer than ${maxTagValueChars}`);
    chars += key.length + value.length;
    tags[key] = value;
  }
  if (chars > maxTagsChars) throw new BadField(`the tags have more than ${maxTagsChars} characters`);
  return tags;
}
