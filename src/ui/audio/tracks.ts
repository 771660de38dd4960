/** What the player plays of each kind of sound that the server has. */
import type { Song, Stream } from "../api/resources.ts";
import type { Track } from "./player.ts";

export function titleOfStream({ title, name, streamId }: Stream): string {
  return title ?? name ?? streamId;
}

export function trackOfStream(stream: Stream): Track {
  const path = `api/streams/${encodeURIComponent(stream.streamId)}`;
  const { artist, album } = stream.metadata.tags;
  const title = titleOfStream(stream);
  const by = [artist, album].filter((text) => text !== undefined).join(" · ");
  return {
    key: `streams/${stream.streamId}`,
    title,
    subtitle: by === "" ? stream.streamId : by,
    audioPath: `${path}/audio`,
    peaksPath: `${path}/peaks`,
    href: `/streams/${encodeURIComponent(stream.streamId)}`,
    duration: stream.audio?.duration ?? null,
  };
}

export function trackOfSong({ name, duration }: Song): Track {
  const path = `api/library/${encodeURIComponent(name)}`;
  return {
    key: `library/${name}`,
    title: name,
    subtitle: "Library",
    audioPath: `${path}/audio`,
    peaksPath: `${path}/peaks`,
    href: "/library",
    duration,
  };
}
