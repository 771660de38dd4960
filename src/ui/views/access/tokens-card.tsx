import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { listTokens, revokeToken, type Token } from "../../api/tokens.ts";
import { Button } from "../../parts/button.tsx";
import { Card } from "../../parts/card.tsx";
import { Dialog } from "../../parts/dialog.tsx";
import { formatAgo, formatTime } from "../../parts/format.ts";
import { Failure, Loading } from "../../parts/states.tsx";
import { notify, notifyError } from "../../parts/toasts.tsx";
import { useLoaded } from "../../parts/use-loaded.ts";
import { NewTokenDialog } from "./new-token-dialog.tsx";

export function TokensCard(): JSX.Element {
  const { value: tokens, error, reload } = useLoaded("tokens", listTokens);
  const [isMaking, setMaking] = useState(false);
  const close = () => {
    setMaking(false);
    reload();
  };
  return (
    <Card title="Tokens" isWide>
      {error !== undefined && <Failure error={error} onRetry={reload} />}
      {tokens === undefined ? (
        error === undefined && <Loading rows={3} />
      ) : (
        <Tokens tokens={tokens} onChange={reload} />
      )}
      <div class="actions">
        <Button kind="main" onClick={() => setMaking(true)}>
          Make a token
        </Button>
      </div>
      {isMaking && <NewTokenDialog isFirst={tokens?.length === 0} onClose={close} />}
    </Card>
  );
}

interface TokensProps {
  tokens: readonly Token[];
  onChange: () => void;
}

function Tokens({ tokens, onChange }: TokensProps): JSX.Element {
  if (tokens.length === 0) {
    return (
      <p class="muted">
        There is no token, and the server is open to whoever reaches it. The first token closes it, so give
        that one every right: <code>*</code>
      </p>
    );
  }
  const newestFirst = tokens.toReversed();
  return (
    <div class="table-place" tabIndex={0} role="group" aria-label="Tokens">
      <table class="table">
        <thead>
          <tr>
            <th scope="col">Token</th>
            <th scope="col">May</th>
            <th scope="col">Used</th>
            <th scope="col">Expires</th>
            <th scope="col">
              <span class="spoken">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {newestFirst.map((token) => (
            <TokenRow key={token.id} token={token} onChange={onChange} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function TokenRow({ token, onChange }: { token: Token; onChange: () => void }): JSX.Element {
  const [isAsking, setAsking] = useState(false);
  const { id, note, grants, usedAt, revokedAt } = token;
  return (
    <tr class={isOver(token) ? "over" : undefined}>
      <td>
        <span dir="auto">{note === "" ? "—" : note}</span>
        <span class="mono muted table-sub">{id}</span>
      </td>
      <td class="grants">
        {grants.map((grant) => (
          <code key={grant}>{grant}</code>
        ))}
      </td>
      <td class="figure">{usedAt === null ? "never" : formatAgo(usedAt, Date.now())}</td>
      <td class="figure">{expiryOf(token)}</td>
      <td class="number">
        {revokedAt === null && (
          <Button kind="danger" onClick={() => setAsking(true)}>
            Revoke<span class="spoken"> {id}</span>
          </Button>
        )}
        {isAsking && <RevokeDialog id={id} onClose={() => setAsking(false)} onChange={onChange} />}
      </td>
    </tr>
  );
}

function isOver({ expiresAt, revokedAt }: Token): boolean {
  return revokedAt !== null || (expiresAt !== null && Date.parse(expiresAt) < Date.now());
}

function expiryOf({ expiresAt, revokedAt }: Token): string {
  if (revokedAt !== null) return `revoked ${formatAgo(revokedAt, Date.now())}`;
  return expiresAt === null ? "never" : formatTime(expiresAt);
}

interface RevokeDialogProps {
  id: string;
  onClose: () => void;
  onChange: () => void;
}

function RevokeDialog({ id, onClose, onChange }: RevokeDialogProps): JSX.Element {
  const revoke = () => {
    onClose();
    revokeToken(id).then(() => {
      notify("Revoked");
      onChange();
    }, notifyError);
  };
  return (
    <Dialog title="Revoke this token" onClose={onClose}>
      <p>Whatever uses the token ends at once. It cannot be used again.</p>
      <p class="mono muted">{id}</p>
      <div class="actions">
        <Button kind="danger" onClick={revoke}>
          Revoke
        </Button>
        <Button onClick={onClose}>Keep</Button>
      </div>
    </Dialog>
  );
}
