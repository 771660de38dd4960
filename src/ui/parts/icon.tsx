/** The icons of the page: lines of 24 by 24, in the color of the text around them. */
import type { JSX } from "preact";

const paths = {
  overview: ["M3 12h4l2.5-7 5 14 2.5-7h4"],
  streams: ["M4 9v6", "M8 5v14", "M12 8v8", "M16 3v18", "M20 10v4"],
  library: ["M9 18V6l11-2v12", "M9 18a3 3 0 1 1-6 0 3 3 0 0 1 6 0z", "M20 16a3 3 0 1 1-6 0 3 3 0 0 1 6 0z"],
  recordings: ["M4 6h16v13H4z", "M8 3v4M16 3v4M4 11h16"],
  live: [
    "M12 9.5v5",
    "M8.5 7a7 7 0 0 0 0 10",
    "M15.5 7a7 7 0 0 1 0 10",
    "M5 4a11 11 0 0 0 0 16",
    "M19 4a11 11 0 0 1 0 16",
  ],
  devices: ["M6 3h12v18H6z", "M9.5 7.5h.01M14.5 7.5h.01M9.5 11h.01M14.5 11h.01", "M9 16.5h6"],
  events: ["M12 4a5 5 0 0 0-5 5v4l-2 3h14l-2-3V9a5 5 0 0 0-5-5z", "M10 19a2 2 0 0 0 4 0"],
  storage: [
    "M4 6c0-1.7 3.6-3 8-3s8 1.3 8 3-3.6 3-8 3-8-1.3-8-3z",
    "M4 6v12c0 1.7 3.6 3 8 3s8-1.3 8-3V6",
    "M4 12c0 1.7 3.6 3 8 3s8-1.3 8-3",
  ],
  access: ["M14.5 9.5a4.5 4.5 0 1 0-4.2 4.5l1.7 1.7h2v2h2v2h3.5v-3.5L14 10.7"],
  microphone: ["M12 3a3 3 0 0 0-3 3v5a3 3 0 0 0 6 0V6a3 3 0 0 0-3-3z", "M6 11a6 6 0 0 0 12 0", "M12 17v4"],
  play: ["M8 5.5v13l10.5-6.5z"],
  pause: ["M8.5 5.5v13M15.5 5.5v13"],
  stop: ["M7 7h10v10H7z"],
  back: ["M4 5v5h5", "M4.5 10a8 8 0 1 1-.4 4"],
  forward: ["M20 5v5h-5", "M19.5 10a8 8 0 1 0 .4 4"],
  volume: ["M4 9.5v5h3.5L12 18.5v-13L7.5 9.5z", "M15.5 9a4.5 4.5 0 0 1 0 6", "M18 6.5a8 8 0 0 1 0 11"],
  muted: ["M4 9.5v5h3.5L12 18.5v-13L7.5 9.5z", "M16 9.5l5 5M21 9.5l-5 5"],
  search: ["M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14z", "M16.2 16.2L20.5 20.5"],
  upload: ["M12 16V4", "M7 9l5-5 5 5", "M4 16v4h16v-4"],
  download: ["M12 4v12", "M7 11l5 5 5-5", "M4 20h16"],
  share: ["M9 15l6-6", "M10.5 6.5l2-2a4.2 4.2 0 0 1 6 6l-2 2", "M13.5 17.5l-2 2a4.2 4.2 0 0 1-6-6l2-2"],
  pin: ["M9 3h6l-1 7 4 4H6l4-4z", "M12 14v7"],
  edit: ["M4 20l1-4.5L16 4.5l3.5 3.5L8.5 19z"],
  remove: ["M4 7h16", "M9 7V4h6v3", "M6.5 7l1 13h9l1-13"],
  more: ["M5 12h.01M12 12h.01M19 12h.01"],
  close: ["M6 6l12 12M18 6L6 18"],
  copy: ["M9 9h11v11H9z", "M5 15H4V4h11v1"],
  check: ["M5 12.5l4.5 4.5L19 7.5"],
  warning: ["M12 4L2.5 20h19z", "M12 10v4.5M12 17.2v.1"],
  sun: [
    "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8z",
    "M12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M5.3 18.7l1.4-1.4M17.3 6.7l1.4-1.4",
  ],
  moon: ["M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5z"],
  person: ["M12 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8z", "M4.5 20.5a7.5 7.5 0 0 1 15 0"],
  up: ["M6 14.5l6-6 6 6"],
  down: ["M6 9.5l6 6 6-6"],
  previous: ["M14.5 6l-6 6 6 6"],
  next: ["M9.5 6l6 6-6 6"],
  "zoom-in": ["M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14z", "M16.2 16.2L20.5 20.5", "M8 11h6M11 8v6"],
  "zoom-out": ["M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14z", "M16.2 16.2L20.5 20.5", "M8 11h6"],
  jump: ["M3 17h4M17 17h4", "M6 12a6.5 6.5 0 0 1 12 0", "M18.5 8v4.5H14"],
  select: ["M4 5v14", "M20 5v14", "M8 12h8", "M10.5 9.5L8 12l2.5 2.5M13.5 9.5L16 12l-2.5 2.5"],
} as const;

export type IconName = keyof typeof paths;

/** Decorative: whatever it stands in has a name of its own. */
export function Icon({ name, size = 20 }: { name: IconName; size?: number }): JSX.Element {
  return (
    <svg class="icon" width={size} height={size} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      {paths[name].map((path) => (
        <path key={path} d={path} />
      ))}
    </svg>
  );
}
