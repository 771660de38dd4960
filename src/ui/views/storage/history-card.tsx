import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import { loadHistory, type Usage } from "../../api/retention.ts";
import { Card } from "../../parts/card.tsx";
import { Curve } from "../../parts/curve.tsx";
import { formatBytes } from "../../parts/format.ts";
import { Failure } from "../../parts/states.tsx";
import { useLoaded } from "../../parts/use-loaded.ts";
import { curveOfHistory } from "./history-curve.ts";

/** How what is stored has grown, and how it will. */
export function HistoryCard({ usage }: { usage: Usage }): JSX.Element {
  const { value: history, error, reload } = useLoaded("history", loadHistory);
  const data = useMemo(() => history && curveOfHistory(history, usage.disks), [history, usage]);
  const bytes = usage.streams.bytes + usage.recordings.bytes;
  return (
    <Card title="Growth" note="the last seven days" isWide>
      {error !== undefined && <Failure error={error} onRetry={reload} />}
      {data !== undefined && (
        <Curve
          label={`What is stored over time: now ${formatBytes(bytes)}`}
          data={data}
          format={formatBytes}
        />
      )}
      {history !== undefined && data === undefined && (
        <p class="muted">
          The server notes once an hour what is stored. The curve begins with the second time.
        </p>
      )}
    </Card>
  );
}
