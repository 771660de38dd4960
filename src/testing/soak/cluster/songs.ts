/** Songs of the libraries: each server has its own, so a song is there and nowhere else, whatever happens. */
import { Random, sha256 } from "../../harness/bytes.ts";
import { until } from "../../harness/until.ts";
import type { Findings } from "./findings.ts";
import type { Place, Places } from "./places.ts";

interface Song {
  name: string;
  place: Place;
  bytes: number;
  sha256: string;
}

const attemptMs = 20_000;
const patienceMs = 120_000;
const sizes = [1, 50_000, 600_000];
const pauseMs = [1_000, 4_000] as const;
const maxSongs = 100;

export class ClusterSongs {
  readonly #places: Places;
  readonly #random: Random;
  readonly #findings: Findings;
  readonly #songs: Song[] = [];
  reads = 0;

  constructor(places: Places, random: Random, findings: Findings) {
    this.#places = places;
    this.#random = random;
    this.#findings = findings;
  }

  get count(): number {
    return this.#songs.length;
  }

  async run(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      if (this.count < maxSongs) await this.#put();
      if (this.count > 0) await this.#read(this.#random.pick(this.#songs));
      await Bun.sleep(this.#random.int(...pauseMs));
    }
  }

  /** Reads all of them, once every server is ready. */
  async readAll(): Promise<void> {
    for (const song of this.#songs) {
      const isRead = () => this.#read(song);
      await until(`${song.name} can be read`, patienceMs, isRead).catch((error: unknown) => {
        this.#findings.add(String(error), song);
      });
    }
  }

  async #put(): Promise<void> {
    const place = this.#places.server();
    const body = new Uint8Array(new Random(this.#random.u32()).bytes(this.#random.pick(sizes)));
    const name = `song-${this.count + 1}.bin`;
    const digest = Buffer.from(sha256(body), "hex").toString("base64");
    // With its digest, a repeated request is answered as the first one was.
    const headers = { "repr-digest": `sha-256=:${digest}:` };
    const send = async () => {
      const init = { method: "PUT", body, headers, signal: AbortSignal.timeout(attemptMs) };
      const answer = await fetch(`${place.origin}/api/library/${name}`, init).catch(() => undefined);
      return answer?.ok;
    };
    try {
      await until(`${name} is acknowledged`, patienceMs, async () => (await send()) || (await pause()));
      this.#songs.push({ name, place, bytes: body.length, sha256: sha256(body) });
    } catch (error) {
      this.#findings.add(String(error), place);
    }
  }

  /** False without an answer. */
  async #read(song: Song): Promise<boolean> {
    const url = `${song.place.origin}/api/library/${song.name}/audio`;
    const answer = await fetch(url, { signal: AbortSignal.timeout(attemptMs) }).catch(() => undefined);
    const body = await answer?.arrayBuffer().catch(() => undefined);
    if (answer === undefined || body === undefined || answer.status >= 500) return await pause();
    this.reads += 1;
    const found = { status: answer.status, bytes: body.byteLength, sha256: sha256(new Uint8Array(body)) };
    if (answer.status !== 200 || found.sha256 !== song.sha256)
      this.#findings.add(`${song.name} is not what was acknowledged, at ${song.place.name}`, { song, found });
    return true;
  }
}

async function pause(): Promise<false> {
  await Bun.sleep(200);
  return false;
}
