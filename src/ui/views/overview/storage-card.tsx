import type { JSX } from "preact";
import { ApiError, requestJson } from "../../api/request.ts";
import { Card } from "../../parts/card.tsx";
import { formatBytes, formatCount, formatTime } from "../../parts/format.ts";
import { Progress } from "../../parts/progress.tsx";
import { Failure, Loading } from "../../parts/states.tsx";
import { useLoaded } from "../../parts/use-loaded.ts";
import { changes } from "./server-events.ts";

interface Usage {
  streams: { bytes: number; count: number; limitBytes: number };
  recordings: { bytes: number; count: number };
  disks: {
    holds: string[];
    freeBytes: number;
    totalBytes: number;
    growthBytesPerDay: number | null;
    fullAt: string | null;
  }[];
}

/** How full the cache and the disks are, and when they will be full at this rate. */
export function StorageCard(): JSX.Element | null {
  const changed = changes.value["streams"] ?? 0;
  const { value: usage, error, reload } = useLoaded(`storage ${changed}`, loadUsage);
  // Servers without retention do not know.
  if (error instanceof ApiError && error.code === "ROUTE_UNKNOWN") return null;
  return (
    <Card title="Storage">
      {error !== undefined && <Failure error={error} onRetry={reload} />}
      {usage === undefined ? error === undefined && <Loading rows={2} /> : <Gauges usage={usage} />}
    </Card>
  );
}

function loadUsage(signal: AbortSignal): Promise<Usage> {
  return requestJson<Usage>("api/retention", { signal });
}

function Gauges({ usage: { streams, recordings, disks } }: { usage: Usage }): JSX.Element {
  return (
    <div class="gauges">
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
function forecastOf({ growthBytesPerDay, fullAt }: Usage["disks"][number]): string | undefined {
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
