/** The songs of the library folder, and which of them devices play as their modes. */
import type { JSX } from "preact";
import { requestJson, withQuery } from "../../api/request.ts";
import type { Song } from "../../api/resources.ts";
import { currentTrack, isPlaying, play, toggle } from "../../audio/player.ts";
import { trackOfSong } from "../../audio/tracks.ts";
import { formatBytes, formatCount, formatDuration } from "../../parts/format.ts";
import { Icon } from "../../parts/icon.tsx";
import { Empty, Failure, Loading } from "../../parts/states.tsx";
import { useLoaded } from "../../parts/use-loaded.ts";
import { modeOf } from "./mode-of.ts";

const pageSongs = 1000;

export function LibraryView(): JSX.Element {
  const { value: songs, error, reload } = useLoaded("library", loadSongs);
  return (
    <section aria-label="Library">
      <header class="view-head">
        <h1>Library</h1>
        {songs !== undefined && <p class="muted figure">{formatCount(songs.length)} songs</p>}
      </header>
      {error !== undefined && <Failure error={error} onRetry={reload} />}
      {songs === undefined ? error === undefined && <Loading /> : <Songs songs={songs} />}
    </section>
  );
}

async function loadSongs(signal: AbortSignal): Promise<Song[]> {
  const all: Song[] = [];
  let after: string | undefined;
  do {
    const path = withQuery("api/library", { limit: pageSongs, after });
    const page = await requestJson<{ songs: Song[]; next: string | null }>(path, { signal });
    all.push(...page.songs);
    after = page.next ?? undefined;
  } while (after !== undefined);
  return all;
}

function Songs({ songs }: { songs: readonly Song[] }): JSX.Element {
  if (songs.length === 0) {
    return (
      <Empty icon="library" title="No songs yet" command="cp song.mp3 data/library/">
        Songs are files in the library folder. One that is copied there is here at once:
      </Empty>
    );
  }
  return (
    <ul class="list" aria-label="Songs">
      {songs.map((song) => (
        <li key={song.name}>
          <SongRow song={song} among={songs} />
        </li>
      ))}
    </ul>
  );
}

function SongRow({ song, among }: { song: Song; among: readonly Song[] }): JSX.Element {
  const track = trackOfSong(song);
  const isCurrent = currentTrack.value?.key === track.key;
  const isRunning = isCurrent && isPlaying.value;
  const mode = modeOf(song.name);
  return (
    <article class="row">
      <button
        type="button"
        class={isCurrent ? "row-play current" : "row-play"}
        aria-label={`${isRunning ? "Pause" : "Play"} ${song.name}`}
        onClick={() => (isCurrent ? toggle() : play(track, { among: among.map(trackOfSong) }))}
      >
        <Icon name={isRunning ? "pause" : "play"} size={18} />
      </button>
      <div class="row-title">
        <span class="cut" dir="auto">
          {song.name}
        </span>
        <span class="row-sub muted cut">
          {mode === undefined ? song.type : <span class="badge accent">{mode}</span>}
        </span>
      </div>
      <span class="row-figure figure muted">
        {song.duration === null ? "" : formatDuration(song.duration)}
      </span>
      <span class="row-figure wide figure muted">{formatBytes(song.size)}</span>
    </article>
  );
}
