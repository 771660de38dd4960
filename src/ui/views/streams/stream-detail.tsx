/** One stream: its waveform, what is known of it, and what one does with it. */
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { Link, useSearch } from "wouter-preact";
import type { Stream } from "../../api/resources.ts";
import { findStream } from "../../api/streams.ts";
import { grants } from "../../app/session.ts";
import { cue, currentTrack, isPlaying, play, seek, toggle } from "../../audio/player.ts";
import { titleOfStream, trackOfStream } from "../../audio/tracks.ts";
import { Waveform } from "../../audio/waveform.tsx";
import { Icon } from "../../parts/icon.tsx";
import { Failure, Loading } from "../../parts/states.tsx";
import { type Loaded, useLoaded } from "../../parts/use-loaded.ts";
import { StreamActions } from "./stream-actions.tsx";
import { StreamFacts } from "./stream-facts.tsx";
import type { StreamList } from "./stream-list.ts";
import { StreamTags } from "./stream-tags.tsx";

interface StreamDetailProps {
  id: string;
  list: StreamList;
  onTag: (key: string, value: string) => void;
}

export function StreamDetail({ id, list, onTag }: StreamDetailProps): JSX.Element {
  const loaded = useLoaded(id, (signal) => findStream(id, signal));
  return (
    <aside class="split-detail" aria-label="Stream">
      <Link href="/streams" class="detail-close icon-button" aria-label="Close the stream" title="Close">
        <Icon name="close" />
      </Link>
      <Content loaded={loaded} list={list} onTag={onTag} />
    </aside>
  );
}

interface ContentProps {
  loaded: Loaded<Stream>;
  list: StreamList;
  onTag: (key: string, value: string) => void;
}

function Content({ loaded, list, onTag }: ContentProps): JSX.Element {
  const { value: stream, error, reload } = loaded;
  useDeepLink(stream);
  if (error !== undefined) return <Failure error={error} onRetry={reload} />;
  if (stream === undefined) return <Loading rows={4} />;
  const mayChange = grants.value.may("upload", `streams/${stream.streamId}`);
  return (
    <>
      <header class="detail-head">
        <h2 class="detail-title" dir="auto">
          {titleOfStream(stream)}
        </h2>
        <p class="muted mono cut" title={stream.streamId}>
          {stream.streamId}
        </p>
      </header>
      {stream.size > 0 && <DetailPlayer stream={stream} />}
      <StreamActions stream={stream} list={list} onChange={reload} />
      <StreamFacts stream={stream} />
      <StreamTags
        stream={stream}
        mayChange={mayChange}
        onTag={onTag}
        onChange={(changed) => {
          list.replace(changed);
          reload();
        }}
      />
    </>
  );
}

function DetailPlayer({ stream }: { stream: Stream }): JSX.Element {
  const track = trackOfStream(stream);
  const isCurrent = currentTrack.value?.key === track.key;
  const isRunning = isCurrent && isPlaying.value;
  return (
    <div class="detail-player">
      <button
        type="button"
        class="play-key"
        aria-label={isRunning ? "Pause" : "Play"}
        disabled={stream.damaged}
        onClick={() => (isCurrent ? toggle() : play(track))}
      >
        <Icon name={isRunning ? "pause" : "play"} size={22} />
      </button>
      <Waveform
        track={track}
        heightPx={72}
        onSeek={(seconds) => (isCurrent ? seek(seconds) : play(track, { at: seconds }))}
      />
    </div>
  );
}

/** `?t=12.5` is a second of the stream: the player stands there. */
function useDeepLink(stream: Stream | undefined): void {
  const seconds = Number(new URLSearchParams(useSearch()).get("t") ?? Number.NaN);
  const id = stream?.streamId;
  useEffect(() => {
    if (stream !== undefined && seconds >= 0) cue(trackOfStream(stream), seconds);
  }, [id, seconds]);
}
