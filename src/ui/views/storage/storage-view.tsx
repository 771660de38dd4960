/** What is stored, how long it stays, and what goes next. */
import type { JSX } from "preact";
import { Link } from "wouter-preact";
import { listPins, type PinnedRange, pinRange } from "../../api/recordings.ts";
import { loadUsage, type Usage } from "../../api/retention.ts";
import { grants } from "../../app/session.ts";
import { IconButton } from "../../parts/button.tsx";
import { Card } from "../../parts/card.tsx";
import { formatAgo, formatTime } from "../../parts/format.ts";
import { Command, Failure, Loading } from "../../parts/states.tsx";
import { notify, notifyError } from "../../parts/toasts.tsx";
import { UsageGauges } from "../../parts/usage-gauges.tsx";
import { useLoaded } from "../../parts/use-loaded.ts";
import { HistoryCard } from "./history-card.tsx";
import { PlanCard } from "./plan-card.tsx";
import { policyTexts } from "./policy-text.ts";

export function StorageView(): JSX.Element {
  const { value: usage, error, reload } = useLoaded("usage", loadUsage);
  const mayPlan = grants.value.may("admin", "server");
  return (
    <section aria-label="Storage">
      <header class="view-head">
        <h1>Storage</h1>
      </header>
      {error !== undefined && <Failure error={error} onRetry={reload} />}
      {usage === undefined ? (
        error === undefined && <Loading />
      ) : (
        <div class="cards">
          <Card title="In use">
            <UsageGauges usage={usage} />
          </Card>
          <Limits usage={usage} />
          {grants.value.maySome("list", "recordings") && <Pins />}
          <HistoryCard usage={usage} />
          {mayPlan && <PlanCard />}
        </div>
      )}
    </section>
  );
}

function Limits({ usage: { policies, lastRunAt } }: { usage: Usage }): JSX.Element {
  const note = lastRunAt === null ? undefined : `checked ${formatAgo(lastRunAt, Date.now())}`;
  return (
    <Card title="Limits" note={note}>
      {policies.length === 0 ? (
        <div class="card-empty">
          <p class="muted">
            Everything stays until the cache is full. These keep it below a size, and for a time:
          </p>
          <Command text="bun run server --keep-streams 50GiB --keep-recordings 30d" />
        </div>
      ) : (
        <ul class="policies">
          {policies.map((policy) => (
            <li key={policy.pattern}>
              <p class="mono">{policy.pattern}</p>
              <p class="muted">{policyTexts(policy).join(" · ")}</p>
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}

function Pins(): JSX.Element {
  const { value: pins = [], reload } = useLoaded("pins", listPins);
  const unpin = (pin: PinnedRange) => {
    const window = { fromMs: Date.parse(pin.from), toMs: Date.parse(pin.to) };
    pinRange(pin.device, window, false).then(() => {
      notify("Unpinned: the limits decide about it again");
      reload();
    }, notifyError);
  };
  return (
    <Card title="Pinned times" note={pins.length > 0 ? String(pins.length) : undefined}>
      {pins.length === 0 ? (
        <p class="muted">
          Nothing is pinned. Select a part of a <Link href="/recordings">recording</Link> to keep it whatever
          the limits.
        </p>
      ) : (
        <ul class="plain-list">
          {pins.map((pin) => (
            <li key={`${pin.device} ${pin.from} ${pin.to}`} class="plain-row">
              <Link href={hrefOf(pin)} class="cut" dir="auto">
                {pin.device}
              </Link>
              <span class="figure muted">{formatTime(pin.from)}</span>
              {grants.value.may("remove", `recordings/${pin.device}`) && (
                <IconButton icon="close" size={16} label={`Unpin ${pin.device}`} onClick={() => unpin(pin)} />
              )}
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}

function hrefOf({ device, from, to }: PinnedRange): string {
  return `/recordings/${encodeURIComponent(device)}?${new URLSearchParams({ from, to })}`;
}
