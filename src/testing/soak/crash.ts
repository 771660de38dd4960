/** How a round of the soak kills the server. */
import type { Random } from "../harness/bytes.ts";

export interface Crash {
  /** Groups crashes in the summary. */
  kind: "fail point" | "any moment" | "acknowledgement" | "start";
  /** What happens, for the line of the round. */
  what: string;
  /** WAVECACHE_FAILPOINTS of the server that crashes. */
  failpoints: string;
  /** The server is killed this long after its start or, if it waits for acknowledgements, at the latest then. */
  afterMs: number;
  /** The server is killed as soon as it has sent so many acknowledgements. */
  acknowledgements: number;
}

/** Every step of a write at which a crash may leave something half done. */
const steps = [
  "commit.1",
  "commit.2",
  "commit.3",
  "commit.4",
  "commit.5",
  "commit.6",
  "commit.7",
  "upload.open",
  "upload.write",
  "upload.seal",
  "record.open",
  "record.write",
  "record.close",
];
/** A step counts its passages; a later one than this would often not be reached. */
const maxPassage = 12;

/** A load that does not end in a crash by itself is killed after this. */
const maxLoadMs = 1_500;
const maxStartMs = 700;

export function chooseCrash(random: Random): Crash {
  const crash = { failpoints: "", afterMs: maxLoadMs, acknowledgements: Infinity };
  const chance = random.int(1, 100);
  if (chance <= 40) {
    const failpoints = `${random.pick(steps)}*${random.int(1, maxPassage)}=kill`;
    return { ...crash, kind: "fail point", what: failpoints.replace("=kill", ""), failpoints };
  }
  if (chance <= 70) {
    const afterMs = random.int(0, maxLoadMs);
    return { ...crash, kind: "any moment", what: `after ${afterMs} ms`, afterMs };
  }
  if (chance <= 85) {
    const acknowledgements = random.int(1, 40);
    const what = `number ${acknowledgements}`;
    return { ...crash, kind: "acknowledgement", what, acknowledgements };
  }
  const afterMs = random.int(50, maxStartMs);
  return { ...crash, kind: "start", what: `${afterMs} ms into a start`, afterMs };
}
