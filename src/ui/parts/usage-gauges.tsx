import type { JSX } from "preact";
import type { Disk, Usage } from "../api/retention.ts";
import { formatBytes, formatCount, formatTime } from "./format.ts";
import { Progress } from "./progress.tsx";

/** How full the cache and the disks are, and when they will be full at this rate. */
export function UsageGauges({ usage: { streams, recordings, disks, node } }: { usage: Usage }): JSX.Element {
  return (
    <div class="gauges">
      {node !== null && <p class="muted">What the server that answered has, one of several.</p>}
      <Gauge
        name={`Streams (${formatCount(streams.count)})`}
        used={streams.bytes}
        total={streams.limitBytes}
        note={`of ${formatBytes(streams.limitBytes)}`}
      />
      <p class="plain-row">
        <span>Recordings ({formatCount(recordings.count)})</span>
        <span class="figure muted">{formatBytes(recordings.bytes)}</span>
      </p>
      {disks.map((disk) => (
        <Gauge
          key={disk.holds.join()}
          name="Disk"
          used={disk.totalBytes - disk.freeBytes}
          total={disk.totalBytes}
          note={`of ${formatBytes(disk.totalBytes)}`}
          forecast={forecastOf(disk)}
        />
      ))}
    </div>
  );
}

/** Undefined while the disk does not fill. */
function forecastOf({ growthBytesPerDay, fullAt }: Disk): string | undefined {
  if (fullAt === null || growthBytesPerDay === null) return undefined;
  return `Grows by ${formatBytes(growthBytesPerDay)} a day: full on ${formatTime(fullAt)}.`;
}

interface GaugeProps {
  name: string;
  used: number;
  total: number;
  note: string;
  forecast?: string | undefined;
}

function Gauge({ name, used, total, note, forecast }: GaugeProps): JSX.Element {
  const share = total > 0 ? used / total : 0;
  return (
    <div class="gauge">
      <p class="plain-row">
        <span>{name}</span>
        <span class="figure muted">
          {formatBytes(used)} {note}
        </span>
      </p>
      <Progress
        label={name}
        done={used}
        total={total}
        kind={share > 0.95 ? "danger" : share > 0.85 ? "warn" : "plain"}
      />
      {forecast !== undefined && <p class="muted">{forecast}</p>}
    </div>
  );
}
