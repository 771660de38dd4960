/**
 * The waveform of a track, which shows and sets the position. The server computes the peaks: nothing is decoded here. A
 * slider lies over it, so that keys and screen readers seek, too, also where there are no peaks.
 */
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { requestJson } from "../api/request.ts";
import type { Peaks } from "../api/resources.ts";
import { settingOf } from "../app/address.ts";
import { currentTheme } from "../app/theme.ts";
import { formatDuration } from "../parts/format.ts";
import { useLoaded } from "../parts/use-loaded.ts";
import { duration, media, currentTrack, time, type Track } from "./player.ts";
import { channelsOf } from "./peak-channels.ts";

interface WaveformProps {
  track: Track;
  heightPx: number;
  /** Seconds. */
  onSeek: (seconds: number) => void;
}

const points = 800;

export function Waveform({ track, heightPx, onSeek }: WaveformProps): JSX.Element {
  const isCurrent = currentTrack.value?.key === track.key;
  const seconds = isCurrent ? duration.value : (track.duration ?? 0);
  const at = isCurrent ? time.value : 0;
  const { value: drawn } = useLoaded(track.peaksPath, (signal) => loadWave(track, signal));
  return (
    <div class={drawn === undefined ? "waveform plain" : "waveform"} style={{ height: `${heightPx}px` }}>
      {drawn !== undefined && seconds > 0 ? (
        <Wave {...drawn} heightPx={heightPx} seconds={seconds} isCurrent={isCurrent} />
      ) : (
        <div class="waveform-line">
          <div style={{ transform: `scaleX(${seconds > 0 ? Math.min(1, at / seconds) : 0})` }} />
        </div>
      )}
      <input
        type="range"
        class="waveform-slider"
        aria-label="Position"
        aria-valuetext={`${formatDuration(at)} of ${formatDuration(seconds)}`}
        min={0}
        max={seconds || 1}
        step={0.1}
        value={at}
        onInput={(event) => onSeek(Number(event.currentTarget.value))}
      />
    </div>
  );
}

/** Peaks, and the script that draws them: the first view does without it. */
interface DrawnPeaks {
  peaks: Peaks;
  WaveSurfer: typeof import("wavesurfer.js").default;
}

interface WaveProps extends DrawnPeaks {
  heightPx: number;
  seconds: number;
  isCurrent: boolean;
}

function Wave({ peaks, WaveSurfer, heightPx, seconds, isCurrent }: WaveProps): JSX.Element {
  const place = useRef<HTMLDivElement>(null);
  const theme = currentTheme();
  useEffect(() => {
    const container = place.current!;
    const style = getComputedStyle(container);
    const wave = WaveSurfer.create({
      container,
      height: heightPx,
      peaks: channelsOf(peaks),
      duration: seconds,
      waveColor: style.getPropertyValue("--wave"),
      progressColor: style.getPropertyValue("--accent"),
      cursorWidth: 0,
      barWidth: 2,
      barGap: 1,
      barRadius: 2,
      normalize: true,
      interact: false,
      hideScrollbar: true,
      cspNonce: settingOf("style-nonce"),
      ...(isCurrent ? { media } : {}),
    });
    return () => wave.destroy();
  }, [peaks, heightPx, seconds, isCurrent, theme]);
  return <div ref={place} class="waveform-wave" aria-hidden="true" />;
}

async function loadWave({ peaksPath }: Track, signal: AbortSignal): Promise<DrawnPeaks> {
  const path = `${peaksPath}${peaksPath.includes("?") ? "&" : "?"}points=${points}`;
  const [peaks, library] = await Promise.all([requestJson<Peaks>(path, { signal }), import("wavesurfer.js")]);
  return { peaks, WaveSurfer: library.default };
}
