import type { JSX } from "preact";
import { ApiError } from "../../api/request.ts";
import { loadUsage } from "../../api/retention.ts";
import { Card } from "../../parts/card.tsx";
import { Failure, Loading } from "../../parts/states.tsx";
import { UsageGauges } from "../../parts/usage-gauges.tsx";
import { useLoaded } from "../../parts/use-loaded.ts";
import { changes } from "./server-events.ts";

/** How full the cache and the disks are, and when they will be full at this rate. */
export function StorageCard(): JSX.Element | null {
  const changed = changes.value["streams"] ?? 0;
  const { value: usage, error, reload } = useLoaded(`storage ${changed}`, loadUsage);
  // Servers without retention do not know.
  if (error instanceof ApiError && error.code === "ROUTE_UNKNOWN") return null;
  return (
    <Card title="Storage">
      {error !== undefined && <Failure error={error} onRetry={reload} />}
      {usage === undefined ? error === undefined && <Loading rows={2} /> : <UsageGauges usage={usage} />}
    </Card>
  );
}
