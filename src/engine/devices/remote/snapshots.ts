/** Devices as nodes send them to each other. */
import type { RemoteDevice } from "../../../wire/cluster/devices.ts";
import type { DeviceSnapshot } from "../device-streams.ts";

export function remoteOf({
  connectedAt,
  playing,
  report,
  leds,
  held,
  ...device
}: DeviceSnapshot): RemoteDevice {
  return {
    ...device,
    connectedAt: connectedAt ?? null,
    playing: playing ?? null,
    report: report ?? null,
    leds: [...leds],
    held: [...held],
  };
}

export function snapshotOf({ connectedAt, playing, report, leds, ...device }: RemoteDevice): DeviceSnapshot {
  const [one, two, three, four, five, six] = leds;
  return {
    ...device,
    connectedAt: connectedAt ?? undefined,
    playing: playing ?? undefined,
    report: report ?? undefined,
    leds: [one!, two!, three!, four!, five!, six!],
  };
}
