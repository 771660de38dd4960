import type { JSX } from "preact";
import { addressOf } from "../../app/address.ts";
import { Icon } from "../../parts/icon.tsx";
import { useLoaded } from "../../parts/use-loaded.ts";
import { lastEvents } from "./server-events.ts";

/** Why the server cannot do all its work, in the words of its readiness; nothing if it can. */
export function Warnings(): JSX.Element | null {
  const trouble = lastEvents.value.find(({ type }) => type.startsWith("storage."));
  const { value: reasons = [] } = useLoaded(`readiness ${trouble?.id ?? ""}`, loadReasons);
  if (reasons.length === 0) return null;
  return (
    <ul class="warnings" role="alert">
      {reasons.map(({ code, message }) => (
        <li key={code} class="failure">
          <Icon name="warning" />
          <div>
            <p>{message}</p>
            <p class="muted mono">{code}</p>
          </div>
        </li>
      ))}
    </ul>
  );
}

interface Reason {
  code: string;
  message: string;
}

async function loadReasons(signal: AbortSignal): Promise<Reason[]> {
  const answer = await fetch(addressOf("readyz"), { signal });
  // A server that is ready says so in plain text.
  if (answer.ok) return [];
  const { reasons = [] } = (await answer.json()) as { reasons?: Reason[] };
  return reasons;
}
