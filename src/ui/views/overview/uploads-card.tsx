import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { requestJson } from "../../api/request.ts";
import type { Stream, StreamPage } from "../../api/resources.ts";
import { titleOfStream } from "../../audio/tracks.ts";
import { Card } from "../../parts/card.tsx";
import { formatBytes, formatCount } from "../../parts/format.ts";
import { useLoaded } from "../../parts/use-loaded.ts";
import { changes } from "./server-events.ts";

const shownUploads = 8;
/** The server has no event for each byte: while the page is visible, it asks this often how far uploads are. */
const intervalMs = 2_000;

/** Uploads under way, by whichever protocol, and those that can be resumed. */
export function UploadsCard(): JSX.Element {
  const changed = changes.value["streams"] ?? 0;
  const { value: page, reload } = useLoaded(`uploads ${changed}`, loadUnfinished);
  useEffect(() => {
    const timer = setInterval(() => !document.hidden && reload(), intervalMs);
    return () => clearInterval(timer);
  }, [reload]);
  const streams = page?.streams ?? [];
  const rates = useRates(streams);
  return (
    <Card title="Uploads" note={page?.total ? formatCount(page.total) : undefined}>
      {streams.length === 0 ? (
        <p class="muted card-empty">Nothing is being uploaded.</p>
      ) : (
        <ul class="plain-list">
          {streams.map((stream) => (
            <UploadRow key={stream.streamId} stream={stream} rate={rates.get(stream.streamId) ?? 0} />
          ))}
        </ul>
      )}
    </Card>
  );
}

function loadUnfinished(signal: AbortSignal): Promise<StreamPage> {
  return requestJson(`api/streams?state=unfinished&sort=-created&limit=${shownUploads}`, { signal });
}

function UploadRow({ stream, rate }: { stream: Stream; rate: number }): JSX.Element {
  return (
    <li class="plain-row">
      <span class="cut" dir="auto">
        {titleOfStream(stream)}
      </span>
      <span class="figure muted">
        {formatBytes(stream.size)}
        {rate > 0 ? ` · ${formatBytes(rate)}/s` : " · waits"}
      </span>
    </li>
  );
}

/** Bytes a second, by id: how much more each upload has than the last time. */
function useRates(streams: readonly Stream[]): ReadonlyMap<string, number> {
  const before = useRef({ atMs: 0, sizes: new Map<string, number>(), rates: new Map<string, number>() });
  const { atMs, sizes, rates } = before.current;
  const nowMs = performance.now();
  const isSame = streams.every(({ streamId, size }) => sizes.get(streamId) === size);
  if (isSame && nowMs - atMs < intervalMs / 2) return rates;
  const seconds = (nowMs - atMs) / 1000;
  const next = new Map(
    streams.map(({ streamId, size }) => [streamId, (size - (sizes.get(streamId) ?? size)) / seconds]),
  );
  const known = new Map(streams.map(({ streamId, size }) => [streamId, size]));
  before.current = { atMs: nowMs, sizes: known, rates: next };
  return next;
}
