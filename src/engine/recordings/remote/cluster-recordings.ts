/** What this node shares with others of its recordings in progress, and what they share with it. */
import type { Log } from "../../../base/log/log.ts";
import type { Bus } from "../../../bus/bus.ts";
import { LevelSharing, type Metered } from "./level-sharing.ts";
import { type FindShared, LiveSharing, type SharedRecording } from "./live-sharing.ts";
import { RemoteLevels } from "./remote-levels.ts";
import type { RemoteRecording } from "./remote-recording.ts";
import { type LiveServices, RemoteRecordings } from "./remote-recordings.ts";

/** The recordings of this node. */
export interface OwnRecordings extends LiveServices {
  running(): Iterable<Metered>;
}

export class ClusterRecordings {
  readonly #remote: RemoteRecordings;
  readonly #sharing: LiveSharing;
  readonly #levels: RemoteLevels;
  readonly #levelSharing: LevelSharing;

  constructor(bus: Bus, own: OwnRecordings, find: FindShared, log: Log) {
    this.#remote = new RemoteRecordings(bus, own, log);
    this.#sharing = new LiveSharing(bus, find);
    this.#levels = new RemoteLevels(bus);
    this.#levelSharing = new LevelSharing(bus, () => own.running());
  }

  /** `remote`: recordings of others that are listened to here. `shared`: those of this node that others listen to. */
  get figures(): { listeners: number; remote: number; shared: number } {
    return { listeners: this.#remote.listeners, remote: this.#remote.size, shared: this.#sharing.heard };
  }

  /** A recording at another node. Rejects with NODE_UNREACHABLE, LISTENERS_EXHAUSTED. */
  find(name: string): Promise<RemoteRecording | undefined> {
    return this.#remote.find(name);
  }

  add(recording: SharedRecording): void {
    this.#sharing.add(recording);
  }

  remove(recording: SharedRecording): void {
    this.#sharing.remove(recording);
  }

  /** Recordings of other nodes, while levels are wanted. */
  metered(): Iterable<Metered> {
    return this.#levels.metered();
  }

  wantLevels(areWanted: boolean): void {
    this.#levels.want(areWanted);
  }

  close(): void {
    this.#remote.close();
    this.#levels.close();
    this.#levelSharing.close();
  }
}
