import type { JSX } from "preact";
import { useId, useState } from "preact/hooks";
import { createToken, type NewToken } from "../../api/tokens.ts";
import { signIn } from "../../app/session.ts";
import { Button } from "../../parts/button.tsx";
import { Dialog } from "../../parts/dialog.tsx";
import { describeError } from "../../parts/describe-error.ts";
import { Command } from "../../parts/states.tsx";
import { notifyError } from "../../parts/toasts.tsx";

/** What people make tokens for. */
const presets = [
  ["Listen and look", "read,list,listen"],
  ["Upload", "upload,read,list"],
  ["Send live audio", "ingest"],
  ["Board with LEDs", "device"],
  ["Everything", "*"],
] as const;
const periods = [
  ["7d", "a week"],
  ["90d", "90 days"],
  ["365d", "a year"],
  ["", "ever"],
] as const;

interface NewTokenDialogProps {
  /** The first token closes the server. */
  isFirst: boolean;
  onClose: () => void;
}

export function NewTokenDialog({ isFirst, onClose }: NewTokenDialogProps): JSX.Element {
  const [made, setMade] = useState<NewToken | undefined>(undefined);
  const take = (token: NewToken) => {
    setMade(token);
    // Without a session this page would be among those that the server asks from now on.
    if (isFirst) signIn(token.token).catch(notifyError);
  };
  return (
    <Dialog title={made === undefined ? "Make a token" : "The token"} onClose={onClose}>
      {made === undefined ? (
        <TokenForm isFirst={isFirst} onMade={take} />
      ) : (
        <>
          <p>Copy it now: it is shown only this once.</p>
          <Command text={made.token} />
          <div class="actions">
            <Button kind="main" onClick={onClose}>
              Done
            </Button>
          </div>
        </>
      )}
    </Dialog>
  );
}

interface TokenFormProps {
  isFirst: boolean;
  onMade: (token: NewToken) => void;
}

function TokenForm({ isFirst, onMade }: TokenFormProps): JSX.Element {
  const [grants, setGrants] = useState<string>(isFirst ? "*" : presets[0][1]);
  const [note, setNote] = useState("");
  const [expires, setExpires] = useState<string>(isFirst ? "" : "90d");
  const [error, setError] = useState<unknown>(undefined);
  const ids = { note: useId(), grants: useId(), expires: useId() };
  const submit = (event: Event) => {
    event.preventDefault();
    const spec = { grants: grants.split(/\s+/).filter(Boolean), note };
    createToken(expires === "" ? spec : { ...spec, expires }).then(onMade, setError);
  };
  return (
    <form class="token-form" onSubmit={submit}>
      {isFirst && (
        <p class="muted">
          From the first token on, the server asks everybody for one. This page is signed in with it.
        </p>
      )}
      <label for={ids.note}>Note</label>
      <input
        id={ids.note}
        class="input"
        placeholder="Who or what uses it"
        maxLength={200}
        value={note}
        onInput={(event) => setNote(event.currentTarget.value)}
      />
      <label for={ids.grants}>May</label>
      <div class="chips">
        {presets.map(([label, value]) => (
          <button
            key={label}
            type="button"
            class={grants === value ? "chip on" : "chip"}
            aria-pressed={grants === value}
            onClick={() => setGrants(value)}
          >
            {label}
          </button>
        ))}
      </div>
      <input
        id={ids.grants}
        class="input mono"
        value={grants}
        required
        onInput={(event) => setGrants(event.currentTarget.value)}
      />
      <label for={ids.expires}>For</label>
      <select
        id={ids.expires}
        class="select"
        value={expires}
        onChange={(event) => setExpires(event.currentTarget.value)}
      >
        {periods.map(([value, label]) => (
          <option key={label} value={value}>
            {label}
          </option>
        ))}
      </select>
      {error !== undefined && (
        <p class="form-error" role="alert">
          {describeError(error).message} {describeError(error).hint}
        </p>
      )}
      <div class="actions">
        <Button kind="main" type="submit">
          Make it
        </Button>
      </div>
    </form>
  );
}
