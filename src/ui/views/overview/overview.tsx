/** What happens on the server now. */
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { grants } from "../../app/session.ts";
import { DevicesCard } from "./devices-card.tsx";
import { EventsCard } from "./events-card.tsx";
import { LiveCard } from "./live-card.tsx";
import { followServerEvents } from "./server-events.ts";
import { StorageCard } from "./storage-card.tsx";
import { Warnings } from "./warnings.tsx";
import { UploadsCard } from "./uploads-card.tsx";

export function Overview(): JSX.Element {
  useEffect(followServerEvents, []);
  const allowed = grants.value;
  return (
    <>
      <header class="view-head">
        <h1>Overview</h1>
      </header>
      <Warnings />
      <div class="cards">
        {allowed.maySome("listen", "recordings") && <LiveCard />}
        {allowed.maySome("list", "streams") && <UploadsCard />}
        {allowed.maySome("list", "devices") && <DevicesCard />}
        {allowed.may("metrics", "server") && <StorageCard />}
        <EventsCard />
      </div>
    </>
  );
}
