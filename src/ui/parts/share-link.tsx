/** Makes a link with which anybody hears something, until it expires. */
import type { JSX } from "preact";
import { useId, useState } from "preact/hooks";
import type { SharedLink } from "../api/resources.ts";
import { addressOf } from "../app/address.ts";
import { Button } from "./button.tsx";
import { describeError } from "./describe-error.ts";
import { formatTime } from "./format.ts";
import { Command } from "./states.tsx";

const periods = [
  ["1h", "an hour"],
  ["24h", "a day"],
  ["7d", "a week"],
  ["30d", "a month"],
] as const;

/** `make`: asks the server for a link that is valid for so long. */
export function ShareLink({ make }: { make: (expires: string) => Promise<SharedLink> }): JSX.Element {
  const [period, setPeriod] = useState<string>("7d");
  const [link, setLink] = useState<SharedLink | undefined>(undefined);
  const [error, setError] = useState<unknown>(undefined);
  const selectId = useId();
  return (
    <>
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
        <Button kind="main" onClick={() => void make(period).then(setLink, setError)}>
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
    </>
  );
}
