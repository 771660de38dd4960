import type { JSX } from "preact";
import { useId, useState } from "preact/hooks";
import { Button } from "../parts/button.tsx";
import { describeError } from "../parts/describe-error.ts";
import { Command } from "../parts/states.tsx";
import { asksForToken, session, signIn } from "./session.ts";

/** Asks for a token, which becomes the session of this browser. */
export function SignIn(): JSX.Element {
  const [token, setToken] = useState("");
  const [error, setError] = useState<unknown>(undefined);
  const inputId = useId();
  const submit = (event: Event) => {
    event.preventDefault();
    signIn(token).catch(setError);
  };
  const canSkip = (session.value?.grants.length ?? 0) > 0;
  return (
    <form class="sign-in" onSubmit={submit}>
      <h1>Sign in</h1>
      <p class="muted">
        This server wants to know who asks. Paste a token: it stays in a cookie of this browser.
      </p>
      <label for={inputId}>Token</label>
      <input
        id={inputId}
        class="input"
        type="password"
        autocomplete="current-password"
        value={token}
        onInput={(event) => setToken(event.currentTarget.value)}
        required
      />
      {error !== undefined && (
        <p class="form-error" role="alert">
          {describeError(error).message} {describeError(error).hint}
        </p>
      )}
      <div class="actions">
        <Button type="submit" kind="main" isDisabled={token.trim() === ""}>
          Sign in
        </Button>
        {canSkip && <Button onClick={() => (asksForToken.value = false)}>Not now</Button>}
      </div>
      <p class="muted">Whoever runs the server makes one:</p>
      <Command text={`bun run server token create --grant "read,list" --expires 90d`} />
    </form>
  );
}
