/** The devices with LEDs, buttons and a loudspeaker: what they show, and their buttons to press. */
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { listDevices } from "../../api/devices.ts";
import { subscribe } from "../../api/events.ts";
import type { Device } from "../../api/resources.ts";
import { Empty, Failure, Loading } from "../../parts/states.tsx";
import { useLoaded } from "../../parts/use-loaded.ts";
import { DeviceCard } from "./device-card.tsx";

/** Changes by other users have no events of their own. */
const reloadMs = 5_000;

export function DevicesView(): JSX.Element {
  const { value: devices, error, reload } = useLoaded("devices", listDevices);
  const changed = useChanges(reload);
  const connected = devices?.filter((device) => device.connected).length ?? 0;
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
      {error !== undefined && <Failure error={error} onRetry={reload} />}
      {devices === undefined ? (
        error === undefined && <Loading />
      ) : (
        <Boards devices={devices} changed={changed} />
      )}
    </section>
  );
}

/** Loads again whenever something happens to a device. Results in how often that was, by device. */
function useChanges(reload: () => void): Readonly<Record<string, number>> {
  const [changed, setChanged] = useState<Readonly<Record<string, number>>>({});
  useEffect(() => {
    const end = subscribe({
      path: "api/events?subject=devices/*",
      onEvent: (data) => {
        const { subject } = data as { subject?: unknown };
        if (typeof subject !== "string") return;
        setChanged((known) => ({ ...known, [subject]: (known[subject] ?? 0) + 1 }));
        reload();
      },
    });
    const timer = setInterval(() => document.visibilityState === "visible" && reload(), reloadMs);
    return () => {
      end();
      clearInterval(timer);
    };
  }, [reload]);
  return changed;
}

interface BoardsProps {
  devices: readonly Device[];
  changed: Readonly<Record<string, number>>;
}

function Boards({ devices, changed }: BoardsProps): JSX.Element {
  if (devices.length === 0) {
    return (
      <Empty icon="devices" title="No devices yet" command="bun run client device --id lamp">
        A device connects over gRPC, and is listed from then on. This simulates one in a terminal:
      </Empty>
    );
  }
  const inOrder = devices.toSorted((a, b) => Number(b.connected) - Number(a.connected));
  return (
    <ul class="boards">
      {inOrder.map((device) => (
        <li key={device.deviceId}>
          <DeviceCard device={device} changes={changed[`devices/${device.deviceId}`] ?? 0} />
        </li>
      ))}
    </ul>
  );
}
