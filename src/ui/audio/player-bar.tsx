import type { JSX } from "preact";
import { Link } from "wouter-preact";
import { IconButton } from "../parts/button.tsx";
import { formatDuration } from "../parts/format.ts";
import { Icon } from "../parts/icon.tsx";
import {
  currentTrack,
  duration,
  isMuted,
  isPlaying,
  isWaiting,
  rate,
  rates,
  seek,
  setRate,
  setVolume,
  skip,
  stop,
  time,
  toggle,
  toggleMuted,
  type Track,
  volume,
} from "./player.ts";
import { Waveform } from "./waveform.tsx";

const skipSeconds = 10;

/** Nothing until something was played. */
export function PlayerBar(): JSX.Element | null {
  const track = currentTrack.value;
  return track === undefined ? null : <Bar track={track} />;
}

function Bar({ track }: { track: Track }): JSX.Element {
  return (
    <section class="player" aria-label="Player">
      <div class="player-keys">
        <IconButton icon="back" label="Back 10 seconds" onClick={() => skip(-skipSeconds)} />
        <button
          type="button"
          class={isWaiting.value ? "play-key waiting" : "play-key"}
          aria-label={isPlaying.value ? "Pause" : "Play"}
          onClick={toggle}
        >
          <Icon name={isPlaying.value ? "pause" : "play"} size={22} />
        </button>
        <IconButton icon="forward" label="Forward 10 seconds" onClick={() => skip(skipSeconds)} />
      </div>
      <div class="player-title">
        <Link href={track.href} class="cut" dir="auto">
          {track.title}
        </Link>
        <span class="muted cut" dir="auto">
          {track.subtitle}
        </span>
      </div>
      <Position track={track} />
      <Settings />
      <IconButton icon="close" label="Close the player" onClick={stop} size={18} />
    </section>
  );
}

function Position({ track }: { track: Track }): JSX.Element {
  return (
    <div class="player-position">
      <span class="figure muted">{formatDuration(time.value)}</span>
      <Waveform track={track} heightPx={36} onSeek={seek} />
      <span class="figure muted">{formatDuration(duration.value)}</span>
    </div>
  );
}

function Settings(): JSX.Element {
  return (
    <div class="player-settings">
      <select
        class="select small"
        aria-label="Speed"
        value={rate.value}
        onChange={(event) => setRate(Number(event.currentTarget.value))}
      >
        {rates.map((each) => (
          <option key={each} value={each}>
            {each}×
          </option>
        ))}
      </select>
      <IconButton
        icon={isMuted.value ? "muted" : "volume"}
        label="Mute"
        isPressed={isMuted.value}
        onClick={toggleMuted}
      />
      <input
        class="volume"
        type="range"
        min={0}
        max={1}
        step={0.01}
        aria-label="Volume"
        value={isMuted.value ? 0 : volume.value}
        onInput={(event) => setVolume(Number(event.currentTarget.value))}
      />
    </div>
  );
}
