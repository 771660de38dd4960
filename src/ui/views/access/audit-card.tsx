import type { JSX } from "preact";
import { readAudit } from "../../api/tokens.ts";
import { Button } from "../../parts/button.tsx";
import { Card } from "../../parts/card.tsx";
import { formatTime } from "../../parts/format.ts";
import { Failure } from "../../parts/states.tsx";
import { useLoaded } from "../../parts/use-loaded.ts";

const shownEntries = 100;

/** What was refused, removed, and changed of tokens, since the server started. */
export function AuditCard(): JSX.Element {
  const loaded = useLoaded("audit", (signal) => readAudit(shownEntries, signal));
  const { value: entries = [], error, isLoading, reload } = loaded;
  return (
    <Card title="Audit" isWide>
      {error !== undefined && <Failure error={error} onRetry={reload} />}
      {entries.length === 0 && !isLoading ? (
        <p class="muted">Nothing was refused or removed since the server started.</p>
      ) : (
        <div class="table-place" tabIndex={0} role="group" aria-label="Audit">
          <table class="table">
            <thead>
              <tr>
                <th scope="col">Time</th>
                <th scope="col">Who</th>
                <th scope="col">What</th>
                <th scope="col">From</th>
                <th scope="col">Outcome</th>
              </tr>
            </thead>
            <tbody>
              {entries.map(({ at, principal, action, resource, address, outcome }, index) => (
                <tr key={index}>
                  <td class="figure">{formatTime(at)}</td>
                  <td dir="auto">{principal}</td>
                  <td dir="auto">
                    {action} {resource}
                  </td>
                  <td class="mono">{address}</td>
                  <td>{outcome}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      <div class="actions">
        <Button onClick={reload} isDisabled={isLoading}>
          Look again
        </Button>
      </div>
    </Card>
  );
}
