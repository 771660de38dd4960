import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { Card } from "../../parts/card.tsx";
import { Command } from "../../parts/states.tsx";
import { followLevels, type LiveDevice, liveDevices } from "../../api/live-levels.ts";
import { DeviceHistory, DeviceLevel } from "../live/device-level.tsx";

const example =
  "bun run client stream --wav data/samples/speech-16k-mono.wav --hwid kitchen --realtime --loop";

/** The devices that send audio, with their levels and those of the last minute. */
export function LiveCard(): JSX.Element {
  useEffect(followLevels, []);
  const devices = liveDevices.value;
  const note = devices.length === 0 ? undefined : `${devices.length} on air`;
  return (
    <Card title="Live" note={note} isWide>
      {devices.length === 0 ? (
        <div class="card-empty">
          <p class="muted">No device sends audio. This one plays a sample as if it did:</p>
          <Command text={example} />
        </div>
      ) : (
        <ul class="live-list">
          {devices.map((device) => (
            <LiveRow key={device.name} device={device} />
          ))}
        </ul>
      )}
    </Card>
  );
}

function LiveRow({ device }: { device: LiveDevice }): JSX.Element {
  const { name } = device;
  return (
    <li class="live-row">
      <span class="cut live-name" dir="auto" title={name}>
        {name}
      </span>
      <DeviceHistory device={device} />
      <DeviceLevel device={device} />
    </li>
  );
}
