import type { JSX } from "preact";
import { loadPlan, type RetentionPlan } from "../../api/retention.ts";
import { Button } from "../../parts/button.tsx";
import { Card } from "../../parts/card.tsx";
import { formatBytes, formatCount, formatTime } from "../../parts/format.ts";
import { Failure, Loading } from "../../parts/states.tsx";
import { useLoaded } from "../../parts/use-loaded.ts";

const shownRemovals = 100;
const reasons = {
  "max-age": "too old",
  "max-bytes": "over the limit",
  "min-free": "disk space",
};

/** What the next run of retention would remove: nothing is removed by looking. */
export function PlanCard(): JSX.Element {
  const { value: plan, error, isLoading, reload } = useLoaded("plan", loadPlan);
  return (
    <Card title="What goes next" note={plan === undefined ? undefined : noteOf(plan)} isWide>
      {error !== undefined && <Failure error={error} onRetry={reload} />}
      {plan === undefined ? error === undefined && <Loading rows={3} /> : <Removals plan={plan} />}
      <div class="actions">
        <Button onClick={reload} isDisabled={isLoading}>
          Look again
        </Button>
      </div>
    </Card>
  );
}

function noteOf({ count, freedBytes }: RetentionPlan): string {
  return count === 0 ? "nothing" : `${formatCount(count)} · ${formatBytes(freedBytes)}`;
}

function Removals({ plan: { removals, count } }: { plan: RetentionPlan }): JSX.Element {
  if (removals.length === 0)
    return <p class="muted">Nothing is over a limit. The next run removes nothing.</p>;
  const more = count - Math.min(removals.length, shownRemovals);
  return (
    <div class="table-place" tabIndex={0} role="group" aria-label="Removals">
      <table class="table">
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col">Why</th>
            <th scope="col">Made</th>
            <th scope="col">Last read</th>
            <th scope="col" class="number">
              Size
            </th>
          </tr>
        </thead>
        <tbody>
          {removals.slice(0, shownRemovals).map(({ kind, id, name, reason, madeAt, usedAt, bytes }) => (
            <tr key={`${kind} ${id}`}>
              <td dir="auto">{name}</td>
              <td>{reasons[reason]}</td>
              <td class="figure">{formatTime(madeAt)}</td>
              <td class="figure">{formatTime(usedAt)}</td>
              <td class="figure number">{formatBytes(bytes)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {more > 0 && <p class="muted">And {formatCount(more)} more.</p>}
    </div>
  );
}
