/** The microphone of this browser becomes a device of the server. */
import type { JSX } from "preact";
import { useEffect, useId, useState } from "preact/hooks";
import { Link } from "wouter-preact";
import type { IngestState } from "../../audio/ingest-socket.ts";
import {
  ingestState,
  microphoneLevel,
  type Recording,
  recording,
  startRecording,
  stopRecording,
} from "../../audio/recorder.ts";
import { Button } from "../../parts/button.tsx";
import { formatDecibels, formatDuration } from "../../parts/format.ts";
import { Icon } from "../../parts/icon.tsx";
import { Meter } from "../../parts/meter.tsx";
import { notifyError } from "../../parts/toasts.tsx";

const nameKey = "wavecache-microphone";
/** What the server keeps of a hardware id; of a name with other characters it would make another one. */
const namePattern = "[\\p{L}\\p{N}_\\-]{1,40}";

export function RecordView(): JSX.Element {
  const current = recording.value;
  return (
    <section aria-label="Record" class="record">
      <header class="view-head">
        <h1>Record</h1>
      </header>
      <div class="card">{current === undefined ? <Start /> : <Running current={current} />}</div>
    </section>
  );
}

function Start(): JSX.Element {
  const [name, setName] = useState(localStorage.getItem(nameKey) ?? "browser");
  const [isVoice, setVoice] = useState(false);
  const ids = { name: useId(), voice: useId() };
  const submit = (event: Event) => {
    event.preventDefault();
    localStorage.setItem(nameKey, name);
    startRecording(name, isVoice).catch(notifyError);
  };
  return (
    <form class="token-form" onSubmit={submit}>
      <p class="muted">
        The microphone of this browser is sent to the server as it sounds, and recorded like any device.
        Others hear it live.
      </p>
      <label for={ids.name}>Name of this device</label>
      <input
        id={ids.name}
        class="input"
        value={name}
        required
        pattern={namePattern}
        title="Letters, digits, - and _"
        onInput={(event) => setName(event.currentTarget.value)}
      />
      <div class="field">
        <input
          id={ids.voice}
          type="checkbox"
          checked={isVoice}
          onChange={(event) => setVoice(event.currentTarget.checked)}
        />
        <label for={ids.voice}>Remove noise and echo, for speech</label>
      </div>
      <div class="actions">
        <Button kind="main" type="submit" icon="microphone">
          Record
        </Button>
      </div>
    </form>
  );
}

function Running({ current: { name, startedMs } }: { current: Recording }): JSX.Element {
  const level = microphoneLevel.value;
  return (
    <>
      <p class="record-time figure" role="timer" aria-live="off">
        {formatDuration(useSecondsSince(startedMs))}
      </p>
      <div class="live-card-level">
        <Meter
          label="Level of the microphone"
          peak={level?.peak}
          rms={level?.rms}
          isClipped={level?.isClipped ?? false}
        />
        <span class="figure muted live-figure">{level === undefined ? "" : formatDecibels(level.rms)}</span>
      </div>
      <p role="status" class={ingestState.value === "refused" ? "form-error" : "muted"}>
        {textOf(ingestState.value)}
      </p>
      <div class="actions">
        <Button kind="main" icon="stop" onClick={stopRecording}>
          Stop
        </Button>
        <Link href={`/recordings/${encodeURIComponent(name)}`} class="button plain">
          <Icon name="recordings" size={18} />
          Recordings of {name}
        </Link>
      </div>
    </>
  );
}

function textOf(state: IngestState): string {
  const texts = {
    connecting: "Connecting. What is said now is sent as soon as there is a connection.",
    sending: "On air",
    lost: "The connection is lost. The next attempt follows in a moment; the last five seconds are kept.",
    refused: "The server refuses this device. Ask whoever runs it for the right to ingest under this name.",
  };
  return texts[state];
}

function useSecondsSince(startedMs: number): number {
  const [nowMs, setNowMs] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNowMs(Date.now()), 500);
    return () => clearInterval(timer);
  }, []);
  return (nowMs - startedMs) / 1000;
}
