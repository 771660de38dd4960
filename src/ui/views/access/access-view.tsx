/** Who may use the server: this session, the tokens, and what was refused. */
import type { JSX } from "preact";
import { asksForToken, grants, session, signOut } from "../../app/session.ts";
import { Button } from "../../parts/button.tsx";
import { Card } from "../../parts/card.tsx";
import { formatTime } from "../../parts/format.ts";
import { notifyError } from "../../parts/toasts.tsx";
import { AuditCard } from "./audit-card.tsx";
import { SessionsCard } from "./sessions-card.tsx";
import { TokensCard } from "./tokens-card.tsx";

export function AccessView(): JSX.Element {
  const isAdmin = grants.value.may("admin", "server");
  return (
    <section aria-label="Access">
      <header class="view-head">
        <h1>Access</h1>
      </header>
      <div class="cards access-cards">
        <SessionCard />
        {isAdmin && <TokensCard />}
        {isAdmin && <SessionsCard />}
        {isAdmin && <AuditCard />}
      </div>
    </section>
  );
}

function SessionCard(): JSX.Element | null {
  const user = session.value;
  if (user === undefined) return null;
  const isSignedIn = user.kind !== "anonymous";
  return (
    <Card title="You" isWide>
      <dl class="facts">
        <dt class="muted">Name</dt>
        <dd dir="auto">{isSignedIn ? user.principal : "not signed in"}</dd>
        <dt class="muted">May</dt>
        <dd class="grants">
          {user.grants.map((grant) => (
            <code key={grant}>{grant}</code>
          ))}
        </dd>
        {user.expiresAt !== null && (
          <>
            <dt class="muted">Until</dt>
            <dd>{formatTime(user.expiresAt)}</dd>
          </>
        )}
      </dl>
      <div class="actions">
        {isSignedIn ? (
          <Button onClick={() => void signOut().catch(notifyError)}>Sign out</Button>
        ) : (
          <Button onClick={() => (asksForToken.value = true)}>Sign in</Button>
        )}
      </div>
    </Card>
  );
}
