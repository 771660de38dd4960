import type { JSX } from "preact";
import { Link } from "wouter-preact";
import type { Stream } from "../../api/resources.ts";
import { currentTrack, isPlaying, play, toggle } from "../../audio/player.ts";
import { titleOfStream, trackOfStream } from "../../audio/tracks.ts";
import { formatAgo, formatBytes, formatDuration, formatTime } from "../../parts/format.ts";
import { Icon } from "../../parts/icon.tsx";
import type { StreamList } from "./stream-list.ts";

interface StreamRowProps {
  stream: Stream;
  list: StreamList;
  isSelected: boolean;
  onTag: (key: string, value: string) => void;
}

/** Tags that a row shows besides its title; the others are in the detail. */
const shownTags = ["artist", "album", "genre"];

export function StreamRow({ stream, list, isSelected, onTag }: StreamRowProps): JSX.Element {
  const { streamId, size, audio, createdAt } = stream;
  const duration = audio?.duration ?? null;
  return (
    <article class={isSelected ? "row selected" : "row"}>
      <PlayButton stream={stream} list={list} />
      <div class="row-title">
        <Link href={`/streams/${encodeURIComponent(streamId)}`} class="cut row-link" dir="auto">
          {titleOfStream(stream)}
        </Link>
        <span class="row-sub muted cut" dir="auto">
          <Sub stream={stream} onTag={onTag} />
        </span>
      </div>
      <span class="row-figure figure muted">{duration === null ? "" : formatDuration(duration)}</span>
      <span class="row-figure wide figure muted">{formatBytes(size)}</span>
      <time class="row-figure wide muted" dateTime={createdAt} title={formatTime(createdAt)}>
        {formatAgo(createdAt, Date.now())}
      </time>
    </article>
  );
}

function Sub({ stream, onTag }: Pick<StreamRowProps, "stream" | "onTag">): JSX.Element {
  const { state, damaged, metadata } = stream;
  if (damaged) return <span class="badge danger">Damaged</span>;
  if (state === "unfinished") return <span class="badge">Not finished</span>;
  const tags = shownTags.flatMap((key) => {
    const value = metadata.tags[key];
    return value === undefined ? [] : [{ key, value }];
  });
  if (tags.length === 0) return <>{formatOf(stream)}</>;
  return (
    <>
      {tags.map(({ key, value }) => (
        <button
          key={key}
          type="button"
          class="tag-link"
          title={`Show ${key}: ${value}`}
          onClick={() => onTag(key, value)}
        >
          {value}
        </button>
      ))}
    </>
  );
}

function formatOf({ audio, format, metadata }: Stream): string {
  return audio?.codec ?? format ?? metadata.contentType ?? "unknown format";
}

function PlayButton({ stream, list }: Pick<StreamRowProps, "stream" | "list">): JSX.Element {
  const track = trackOfStream(stream);
  const isCurrent = currentTrack.value?.key === track.key;
  const isRunning = isCurrent && isPlaying.value;
  const press = () => {
    if (isCurrent) toggle();
    else play(track, { among: list.rows.value.map(trackOfStream) });
  };
  return (
    <button
      type="button"
      class={isCurrent ? "row-play current" : "row-play"}
      aria-label={`${isRunning ? "Pause" : "Play"} ${track.title}`}
      disabled={stream.damaged || stream.size === 0}
      onClick={press}
    >
      <Icon name={isRunning ? "pause" : "play"} size={18} />
    </button>
  );
}
