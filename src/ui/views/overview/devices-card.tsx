import type { JSX } from "preact";
import { requestJson } from "../../api/request.ts";
import type { Device } from "../../api/resources.ts";
import { Card } from "../../parts/card.tsx";
import { Command } from "../../parts/states.tsx";
import { useLoaded } from "../../parts/use-loaded.ts";
import { changes } from "./server-events.ts";

/** The devices that are connected over gRPC. */
export function DevicesCard(): JSX.Element {
  const changed = changes.value["devices"] ?? 0;
  const { value: devices = [] } = useLoaded(`devices ${changed}`, loadDevices);
  return (
    <Card title="Devices" note={devices.length > 0 ? `${devices.length} connected` : undefined}>
      {devices.length === 0 ? (
        <div class="card-empty">
          <p class="muted">No device is connected. This simulates one:</p>
          <Command text="bun run client device --id lamp" />
        </div>
      ) : (
        <ul class="plain-list">
          {devices.map((device) => (
            <DeviceRow key={device.deviceId} device={device} />
          ))}
        </ul>
      )}
    </Card>
  );
}

async function loadDevices(signal: AbortSignal): Promise<Device[]> {
  const page = await requestJson<{ devices: Device[] }>("api/devices?connected=true&limit=20", { signal });
  return page.devices;
}

function DeviceRow({ device }: { device: Device }): JSX.Element {
  const { deviceId, mode, playing, battery, leds } = device;
  const state = playing === null ? `Mode ${mode}` : `Plays mode ${playing}`;
  return (
    <li class="plain-row">
      <span class="cut" dir="auto">
        {deviceId}
      </span>
      <span class="leds" aria-hidden="true">
        {leds.map((color, index) => (
          <i key={index} class="led" style={{ backgroundColor: color }} />
        ))}
      </span>
      <span class="figure muted">{battery === null ? state : `${state} · ${Math.round(battery)} %`}</span>
    </li>
  );
}
