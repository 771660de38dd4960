/** The songs of the library folder, which of them devices play as their modes, and uploads into it. */
import { signal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import type { Song } from "../../api/resources.ts";
import { listSongs, removeSong } from "../../api/songs.ts";
import { grants } from "../../app/session.ts";
import { currentTrack, isPlaying, play, stop, toggle } from "../../audio/player.ts";
import { trackOfSong } from "../../audio/tracks.ts";
import { IconButton } from "../../parts/button.tsx";
import { formatBytes, formatCount, formatDuration } from "../../parts/format.ts";
import { Icon } from "../../parts/icon.tsx";
import { Empty, Failure, Loading } from "../../parts/states.tsx";
import { notifyError, notifyUndoable } from "../../parts/toasts.tsx";
import { useLoaded } from "../../parts/use-loaded.ts";
import { VirtualList } from "../../parts/virtual-list.tsx";
import { ChooseFiles } from "../../uploads/choose-files.tsx";
import { dropTaker } from "../../uploads/drop-taker.ts";
import { modeOf } from "./mode-of.ts";
import { SongUploadList } from "./song-upload-list.tsx";
import { addSongs, storedSongs } from "./song-uploads.ts";

const rowPx = 60;
const ignoreRange = () => {};
/** Names of songs that are removed, and can still be kept. */
const leaving = signal<ReadonlySet<string>>(new Set());

export function LibraryView(): JSX.Element {
  const { value, error, reload } = useLoaded(`library ${storedSongs.value}`, listSongs);
  const mayUpload = grants.value.maySome("upload", "library");
  const songs = value?.filter(({ name }) => !leaving.value.has(name));
  useDrops(mayUpload);
  return (
    <section aria-label="Library">
      <header class="view-head">
        <h1>Library</h1>
        {songs !== undefined && (
          <p class="muted figure" role="status">
            {formatCount(songs.length)} {songs.length === 1 ? "song" : "songs"}
          </p>
        )}
        {mayUpload && (
          <div class="view-actions">
            <ChooseFiles onChosen={addSongs} />
          </div>
        )}
      </header>
      <SongUploadList />
      {error !== undefined && <Failure error={error} onRetry={reload} />}
      {songs === undefined ? error === undefined && <Loading /> : <Songs songs={songs} onChange={reload} />}
    </section>
  );
}

/** While the library is shown, files that are dropped onto the page become songs. */
function useDrops(mayUpload: boolean): void {
  useEffect(() => {
    if (!mayUpload) return;
    dropTaker.value = { text: "Drop audio files or folders to put them into the library", take: addSongs };
    return () => {
      dropTaker.value = undefined;
    };
  }, [mayUpload]);
}

interface SongsProps {
  songs: readonly Song[];
  onChange: () => void;
}

function Songs({ songs, onChange }: SongsProps): JSX.Element {
  if (songs.length === 0) {
    return (
      <Empty icon="library" title="No songs yet" command="bun run client library put song.mp3">
        Drop audio files onto this page, copy them into the library folder, or send one from a terminal:
      </Empty>
    );
  }
  return (
    <VirtualList
      label="Songs"
      count={songs.length}
      rowPx={rowPx}
      onRange={ignoreRange}
      renderRow={(index) => <SongRow song={songs[index]!} among={songs} onChange={onChange} />}
    />
  );
}

interface SongRowProps {
  song: Song;
  among: readonly Song[];
  onChange: () => void;
}

function SongRow({ song, among, onChange }: SongRowProps): JSX.Element {
  const mode = modeOf(song.name);
  return (
    <article class="row song-row">
      <PlayButton song={song} among={among} />
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
      {grants.value.may("remove", `library/${song.name}`) && (
        <IconButton
          icon="remove"
          label={`Remove ${song.name}`}
          size={18}
          onClick={() => removeLater(song, onChange)}
        />
      )}
    </article>
  );
}

function PlayButton({ song, among }: Pick<SongRowProps, "song" | "among">): JSX.Element {
  const track = trackOfSong(song);
  const isCurrent = currentTrack.value?.key === track.key;
  const isRunning = isCurrent && isPlaying.value;
  return (
    <button
      type="button"
      class={isCurrent ? "row-play current" : "row-play"}
      aria-label={`${isRunning ? "Pause" : "Play"} ${song.name}`}
      onClick={() => (isCurrent ? toggle() : play(track, { among: among.map(trackOfSong) }))}
    >
      <Icon name={isRunning ? "pause" : "play"} size={18} />
    </button>
  );
}

/** The song leaves the list at once, and the library when it is too late to undo. */
function removeLater(song: Song, onChange: () => void): void {
  const { name } = song;
  const putBack = () => (leaving.value = new Set([...leaving.value].filter((each) => each !== name)));
  leaving.value = new Set([...leaving.value, name]);
  if (currentTrack.value?.key === trackOfSong(song).key) stop();
  const commit = () => {
    removeSong(name).catch(notifyError).finally(onChange).finally(putBack);
  };
  notifyUndoable(`Removed ${name}`, { undo: putBack, commit });
}
