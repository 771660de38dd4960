/** The views of the page, in the order of the rail. */
import type { PageGrants } from "../api/grants.ts";
import type { IconName } from "../parts/icon.tsx";
import { lazyView, type LazyView } from "./lazy-view.tsx";

export interface View {
  /** Below the path of the page. */
  path: string;
  /** What it also shows, such as one stream: a pattern of the router. */
  pattern: string;
  label: string;
  icon: IconName;
  view: LazyView;
  /** Whether it has anything for a user who may do this. */
  isFor: (grants: PageGrants) => boolean;
}

export const views: readonly View[] = [
  {
    path: "/",
    pattern: "/",
    label: "Overview",
    icon: "overview",
    view: lazyView(async () => (await import("../views/overview/overview.tsx")).Overview),
    isFor: () => true,
  },
  {
    path: "/streams",
    pattern: "/streams/:id?",
    label: "Streams",
    icon: "streams",
    view: lazyView(async () => (await import("../views/streams/streams-view.tsx")).StreamsView),
    isFor: (grants) => grants.maySome("list", "streams") || grants.maySome("upload", "streams"),
  },
  {
    path: "/recordings",
    pattern: "/recordings/:device?",
    label: "Recordings",
    icon: "recordings",
    view: lazyView(async () => (await import("../views/recordings/recordings-view.tsx")).RecordingsView),
    isFor: (grants) => grants.maySome("list", "recordings") && grants.maySome("read", "recordings"),
  },
  {
    path: "/live",
    pattern: "/live",
    label: "Live",
    icon: "live",
    view: lazyView(async () => (await import("../views/live/live-view.tsx")).LiveView),
    isFor: (grants) => grants.maySome("listen", "recordings"),
  },
  {
    path: "/devices",
    pattern: "/devices",
    label: "Devices",
    icon: "devices",
    view: lazyView(async () => (await import("../views/devices/devices-view.tsx")).DevicesView),
    isFor: (grants) => grants.maySome("list", "devices"),
  },
  {
    path: "/record",
    pattern: "/record",
    label: "Record",
    icon: "microphone",
    view: lazyView(async () => (await import("../views/record/record-view.tsx")).RecordView),
    isFor: (grants) => grants.maySome("ingest", "recordings"),
  },
  {
    path: "/library",
    pattern: "/library",
    label: "Library",
    icon: "library",
    view: lazyView(async () => (await import("../views/library/library-view.tsx")).LibraryView),
    isFor: (grants) => grants.maySome("list", "library"),
  },
  {
    path: "/events",
    pattern: "/events",
    label: "Events",
    icon: "events",
    view: lazyView(async () => (await import("../views/events/events-view.tsx")).EventsView),
    isFor: maySeeEvents,
  },
  {
    path: "/storage",
    pattern: "/storage",
    label: "Storage",
    icon: "storage",
    view: lazyView(async () => (await import("../views/storage/storage-view.tsx")).StorageView),
    isFor: (grants) => grants.may("metrics", "server"),
  },
  {
    path: "/access",
    pattern: "/access",
    label: "Access",
    icon: "access",
    view: lazyView(async () => (await import("../views/access/access-view.tsx")).AccessView),
    isFor: (grants) => grants.may("admin", "server"),
  },
];

/** The view at a path below that of the page. */
export function viewAt(path: string): View | undefined {
  const section = `/${path.split("/")[1] ?? ""}`;
  return views.find((view) => view.path === section);
}

/** About what one may list, and about the server with the metrics. */
function maySeeEvents(grants: PageGrants): boolean {
  const folders = ["streams", "recordings", "devices"] as const;
  return grants.may("metrics", "server") || folders.some((folder) => grants.maySome("list", folder));
}
