/** The views of the page, in the order of the rail. */
import type { ComponentType } from "preact";
import type { PageGrants } from "../api/grants.ts";
import type { IconName } from "../parts/icon.tsx";
import { AccessView } from "../views/access/access-view.tsx";
import { DevicesView } from "../views/devices/devices-view.tsx";
import { EventsView } from "../views/events/events-view.tsx";
import { LibraryView } from "../views/library/library-view.tsx";
import { LiveView } from "../views/live/live-view.tsx";
import { Overview } from "../views/overview/overview.tsx";
import { RecordView } from "../views/record/record-view.tsx";
import { RecordingsView } from "../views/recordings/recordings-view.tsx";
import { StorageView } from "../views/storage/storage-view.tsx";
import { StreamsView } from "../views/streams/streams-view.tsx";

export interface View {
  /** Below the path of the page. */
  path: string;
  /** What it also shows, such as one stream: a pattern of the router. */
  pattern: string;
  label: string;
  icon: IconName;
  component: ComponentType;
  /** Whether it has anything for a user who may do this. */
  isFor: (grants: PageGrants) => boolean;
}

export const views: readonly View[] = [
  {
    path: "/",
    pattern: "/",
    label: "Overview",
    icon: "overview",
    component: Overview,
    isFor: () => true,
  },
  {
    path: "/streams",
    pattern: "/streams/:id?",
    label: "Streams",
    icon: "streams",
    component: StreamsView,
    isFor: (grants) => grants.maySome("list", "streams") || grants.maySome("upload", "streams"),
  },
  {
    path: "/recordings",
    pattern: "/recordings/:device?",
    label: "Recordings",
    icon: "recordings",
    component: RecordingsView,
    isFor: (grants) => grants.maySome("list", "recordings") && grants.maySome("read", "recordings"),
  },
  {
    path: "/live",
    pattern: "/live",
    label: "Live",
    icon: "live",
    component: LiveView,
    isFor: (grants) => grants.maySome("listen", "recordings"),
  },
  {
    path: "/devices",
    pattern: "/devices",
    label: "Devices",
    icon: "devices",
    component: DevicesView,
    isFor: (grants) => grants.maySome("list", "devices"),
  },
  {
    path: "/record",
    pattern: "/record",
    label: "Record",
    icon: "microphone",
    component: RecordView,
    isFor: (grants) => grants.maySome("ingest", "recordings"),
  },
  {
    path: "/library",
    pattern: "/library",
    label: "Library",
    icon: "library",
    component: LibraryView,
    isFor: (grants) => grants.maySome("list", "library"),
  },
  {
    path: "/events",
    pattern: "/events",
    label: "Events",
    icon: "events",
    component: EventsView,
    isFor: maySeeEvents,
  },
  {
    path: "/storage",
    pattern: "/storage",
    label: "Storage",
    icon: "storage",
    component: StorageView,
    isFor: (grants) => grants.may("metrics", "server"),
  },
  {
    path: "/access",
    pattern: "/access",
    label: "Access",
    icon: "access",
    component: AccessView,
    isFor: (grants) => grants.may("admin", "server"),
  },
];

/** About what one may list, and about the server with the metrics. */
function maySeeEvents(grants: PageGrants): boolean {
  const folders = ["streams", "recordings", "devices"] as const;
  return grants.may("metrics", "server") || folders.some((folder) => grants.maySome("list", folder));
}
