import type { ComponentChildren, JSX } from "preact";
import type { Stream } from "../../api/resources.ts";
import { formatBytes, formatDuration, formatTime } from "../../parts/format.ts";

/** What the server knows of a stream. */
export function StreamFacts({ stream }: { stream: Stream }): JSX.Element {
  const { audio, size, format, sha256, createdAt, state, damaged, metadata } = stream;
  return (
    <dl class="facts">
      {damaged && <Fact name="State">Damaged on the disk</Fact>}
      {state === "unfinished" && <Fact name="State">Not finished: its upload runs, or can be resumed</Fact>}
      <Fact name="Size">{formatBytes(size)}</Fact>
      {audio?.duration != null && <Fact name="Duration">{formatDuration(audio.duration)}</Fact>}
      <Fact name="Format">{audio?.codec ?? format ?? metadata.contentType ?? "unknown"}</Fact>
      {audio?.sampleRate != null && (
        <Fact name="Sampling">
          {(audio.sampleRate / 1000).toLocaleString()} kHz, {channelsText(audio.channels)}
        </Fact>
      )}
      {audio?.bitRate != null && <Fact name="Bit rate">{Math.round(audio.bitRate / 1000)} kbit/s</Fact>}
      <Fact name="Created">{formatTime(createdAt)}</Fact>
      {sha256 !== null && (
        <Fact name="SHA-256">
          <code class="digest">{sha256}</code>
        </Fact>
      )}
    </dl>
  );
}

function channelsText(channels: number | null): string {
  if (channels === 1) return "mono";
  if (channels === 2) return "stereo";
  return channels === null ? "unknown channels" : `${channels} channels`;
}

function Fact({ name, children }: { name: string; children: ComponentChildren }): JSX.Element {
  return (
    <>
      <dt class="muted">{name}</dt>
      <dd class="figure">{children}</dd>
    </>
  );
}
