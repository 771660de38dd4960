/** The devices with LEDs, buttons and a loudspeaker: what they show, and their buttons to press. */
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import {
  areDevicesIncomplete,
  devices as allDevices,
  devicesError,
  followDevices,
} from "../../api/devices.ts";
import { subscribe } from "../../api/events.ts";
import type { Device } from "../../api/resources.ts";
import { Empty, Failure, Loading } from "../../parts/states.tsx";
import { DeviceCard } from "./device-card.tsx";

export function DevicesView(): JSX.Element {
  const [attempts, setAttempts] = useState(0);
  useEffect(followDevices, [attempts]);
  const happened = useHistory();
  const devices = allDevices.value && [...allDevices.value.values()].toSorted(byConnectionAndId);
  const connected = devices?.filter((device) => device.connected).length ?? 0;
  const error = devicesError.value;
  return (
    <section aria-label="Devices">
      <header class="view-head">
        <h1>Devices</h1>
        {devices !== undefined && devices.length > 0 && (
          <p class="muted figure">
            {connected} of {devices.length} connected
          </p>
        )}
      </header>
      {error !== undefined && <Failure error={error} onRetry={() => setAttempts(attempts + 1)} />}
      {areDevicesIncomplete.value && (
        <p class="muted" role="status">
          Devices of other servers may be missing: they cannot be reached.
        </p>
      )}
      {devices === undefined ? (
        error === undefined && <Loading />
      ) : (
        <Boards devices={devices} happened={happened} />
      )}
    </section>
  );
}

function byConnectionAndId(a: Device, b: Device): number {
  return Number(b.connected) - Number(a.connected) || (a.deviceId < b.deviceId ? -1 : 1);
}

/** How often something happened to each device since the view was opened. */
function useHistory(): Readonly<Record<string, number>> {
  const [happened, setHappened] = useState<Readonly<Record<string, number>>>({});
  useEffect(
    () =>
      subscribe({
        path: "api/events?subject=devices/*",
        onEvent: (data) => {
          const { subject } = data as { subject?: unknown };
          if (typeof subject !== "string") return;
          setHappened((known) => ({ ...known, [subject]: (known[subject] ?? 0) + 1 }));
        },
      }),
    [],
  );
  return happened;
}

interface BoardsProps {
  devices: readonly Device[];
  happened: Readonly<Record<string, number>>;
}

function Boards({ devices, happened }: BoardsProps): JSX.Element {
  if (devices.length === 0) {
    return (
      <Empty icon="devices" title="No devices yet" command="bun run client device --id lamp">
        A device connects over gRPC, and is listed from then on. This simulates one in a terminal:
      </Empty>
    );
  }
  return (
    <ul class="boards">
      {devices.map((device) => (
        <li key={device.deviceId}>
          <DeviceCard device={device} changes={happened[`devices/${device.deviceId}`] ?? 0} />
        </li>
      ))}
    </ul>
  );
}
