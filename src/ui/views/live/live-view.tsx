/** The devices that send now: how loud they are, and what they sound like. */
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { Link } from "wouter-preact";
import { followLevels, type LiveDevice, liveDevices } from "../../api/live-levels.ts";
import { grants } from "../../app/session.ts";
import { hasOutput, latencyOf, listen, type Listening, listenings, stopListening } from "../../audio/live.ts";
import { Button } from "../../parts/button.tsx";
import { Empty } from "../../parts/states.tsx";
import { ClippingBadge, DeviceHistory, DeviceLevel } from "./device-level.tsx";
import { Spectrogram } from "./spectrogram.tsx";

const command =
  "bun run client stream --wav data/samples/speech-16k-mono.wav --hwid kitchen --realtime --loop";

export function LiveView(): JSX.Element {
  useEffect(followLevels, []);
  const devices = liveDevices.value.filter(({ name }) => grants.value.may("listen", `recordings/${name}`));
  return (
    <section aria-label="Live">
      <header class="view-head">
        <h1>Live</h1>
        {devices.length > 0 && <p class="muted figure">{devices.length} on air</p>}
      </header>
      {devices.length === 0 ? (
        <NobodySends />
      ) : (
        <ul class="live-cards">
          {devices.map((device) => (
            <li key={device.name}>
              <LiveDeviceCard device={device} />
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function NobodySends(): JSX.Element {
  return (
    <Empty icon="live" title="No device sends audio" command={command}>
      {grants.value.maySome("ingest", "recordings") && (
        <>
          <Link href="/record">Record from this browser</Link>, or play a sample as if it were a device:
        </>
      )}
    </Empty>
  );
}

function LiveDeviceCard({ device }: { device: LiveDevice }): JSX.Element {
  const { name } = device;
  const listening = listenings.value.find((each) => each.name === name);
  return (
    <article class={listening === undefined ? "card live-card" : "card live-card heard"}>
      <header class="live-card-head">
        <h2>
          <Link href={`/recordings/${encodeURIComponent(name)}`} class="cut row-link" dir="auto">
            {name}
          </Link>
        </h2>
        <ClippingBadge device={device} />
        <ListenButton name={name} isOn={listening !== undefined} />
      </header>
      <div class="live-card-level">
        <DeviceLevel device={device} />
      </div>
      {listening === undefined ? (
        <DeviceHistory device={device} />
      ) : (
        <>
          <Spectrogram label={`Frequencies of ${name}`} analyser={listening.analyser} />
          <LiveState listening={listening} />
        </>
      )}
    </article>
  );
}

function ListenButton({ name, isOn }: { name: string; isOn: boolean }): JSX.Element {
  return (
    <Button
      kind={isOn ? "plain" : "main"}
      icon={isOn ? "stop" : "volume"}
      onClick={() => (isOn ? stopListening(name) : listen(name))}
    >
      {isOn ? "Stop" : "Listen"}
      <span class="spoken" dir="auto">
        {" "}
        {name}
      </span>
    </Button>
  );
}

function LiveState({ listening }: { listening: Listening }): JSX.Element {
  return (
    <p class="live-state muted figure" aria-live="off">
      {describeState(listening)}
    </p>
  );
}

function describeState(listening: Listening): string {
  const { state, report } = listening;
  if (state.value === "waiting") return "The device has gone. It is heard again when it is back.";
  if (!hasOutput.value) return "Waits for a sound output of this browser";
  if (report.value === undefined || !report.value.isPlaying) return "Connecting";
  const latencyMs = latencyOf(listening);
  const { underruns, skipped } = report.value;
  const notes = [
    latencyMs === undefined ? "on air" : `${Math.round(latencyMs)} ms behind`,
    underruns > 0 ? `interrupted ${underruns === 1 ? "once" : `${underruns} times`}` : "",
    skipped > 0 ? "audio was skipped" : "",
  ];
  return notes.filter(Boolean).join(" · ");
}
