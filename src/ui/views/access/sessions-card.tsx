/** Who is signed in with a browser. */
import type { JSX } from "preact";
import { endSession, listSessions, type OpenSession } from "../../api/sessions.ts";
import { Button } from "../../parts/button.tsx";
import { Card } from "../../parts/card.tsx";
import { formatAgo, formatTime } from "../../parts/format.ts";
import { Failure, Loading } from "../../parts/states.tsx";
import { notify, notifyError } from "../../parts/toasts.tsx";
import { useLoaded } from "../../parts/use-loaded.ts";
import { browserOf } from "./browser-of.ts";

export function SessionsCard(): JSX.Element {
  const { value: sessions, error, reload } = useLoaded("sessions", listSessions);
  return (
    <Card title="Signed in" isWide>
      {error !== undefined && <Failure error={error} onRetry={reload} />}
      {sessions === undefined ? (
        error === undefined && <Loading rows={2} />
      ) : (
        <Sessions sessions={sessions} onChange={reload} />
      )}
    </Card>
  );
}

interface SessionsProps {
  sessions: readonly OpenSession[];
  onChange: () => void;
}

function Sessions({ sessions, onChange }: SessionsProps): JSX.Element {
  if (sessions.length === 0) return <p class="muted">Nobody is signed in with a token.</p>;
  return (
    <div class="table-place" tabIndex={0} role="group" aria-label="Sessions">
      <table class="table">
        <thead>
          <tr>
            <th scope="col">Who</th>
            <th scope="col">Browser</th>
            <th scope="col">Last used</th>
            <th scope="col">Until</th>
            <th scope="col">
              <span class="spoken">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {sessions.map((session) => (
            <SessionRow key={session.id} session={session} onChange={onChange} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function SessionRow({ session, onChange }: { session: OpenSession; onChange: () => void }): JSX.Element {
  const { id, principal, agent, address, usedAt, expiresAt, current } = session;
  const end = () => {
    endSession(id).then(() => {
      notify("Signed out");
      onChange();
    }, notifyError);
  };
  return (
    <tr>
      <td>
        <span dir="auto">{principal}</span>
        <span class="mono muted table-sub">{id}</span>
      </td>
      <td title={agent} dir="auto">
        {browserOf(agent)}
      </td>
      <td class="figure">
        {formatAgo(usedAt, Date.now())}
        <span class="mono muted table-sub">{address}</span>
      </td>
      <td class="figure">{formatTime(expiresAt)}</td>
      <td class="number">
        {current ? (
          <span class="badge accent">This one</span>
        ) : (
          <Button kind="danger" onClick={end}>
            Sign out<span class="spoken"> {id}</span>
          </Button>
        )}
      </td>
    </tr>
  );
}
