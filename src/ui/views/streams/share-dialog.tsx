import type { JSX } from "preact";
import { useId, useState } from "preact/hooks";
import type { SharedLink, Stream } from "../../api/resources.ts";
import { shareStream } from "../../api/streams.ts";
import { addressOf } from "../../app/address.ts";
import { Button } from "../../parts/button.tsx";
import { Dialog } from "../../parts/dialog.tsx";
import { formatTime } from "../../parts/format.ts";
import { describeError } from "../../parts/describe-error.ts";
import { Command } from "../../parts/states.tsx";

const periods = [
  ["1h", "an hour"],
  ["24h", "a day"],
  ["7d", "a week"],
  ["30d", "a month"],
] as const;

/** Makes a link with which anybody hears the stream, until it expires. */
export function ShareDialog({ stream, onClose }: { stream: Stream; onClose: () => void }): JSX.Element {
  const [period, setPeriod] = useState<string>("7d");
  const [link, setLink] = useState<SharedLink | undefined>(undefined);
  const [error, setError] = useState<unknown>(undefined);
  const selectId = useId();
  const share = () => void shareStream(stream.streamId, period).then(setLink, setError);
  return (
    <Dialog title="Share this stream" onClose={onClose}>
      <p class="muted">Whoever has the link hears and downloads this stream, without a token.</p>
      <div class="field">
        <label for={selectId}>The link is valid for</label>
        <select
          id={selectId}
          class="select"
          value={period}
          onChange={(event) => setPeriod(event.currentTarget.value)}
        >
          {periods.map(([value, label]) => (
            <option key={value} value={value}>
              {label}
            </option>
          ))}
        </select>
        <Button kind="main" onClick={share}>
          Make a link
        </Button>
      </div>
      {error !== undefined && (
        <p class="form-error" role="alert">
          {describeError(error).message} {describeError(error).hint}
        </p>
      )}
      {link !== undefined && (
        <>
          <Command text={addressOf(link.url)} />
          <p class="muted">It expires on {formatTime(link.expiresAt)}.</p>
        </>
      )}
    </Dialog>
  );
}
