/** A server with a library of songs, and downloads of them over UDP. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { SongDownload, SongResult } from "../../../client/songs/song.ts";
import { openSongUdp, type SongUdpOptions } from "../../../client/songs/udp.ts";
import { TestServer } from "../server.ts";

export interface Received {
  bytes: Uint8Array;
  result: SongResult;
  download: SongDownload;
}

export class SongServer implements AsyncDisposable {
  readonly server: TestServer;

  /** Opens the UDP port; takes other flags as given. */
  static async start(flags: Record<string, string | number> = {}): Promise<SongServer> {
    return new SongServer(await TestServer.start({ flags: { "udp-port": 0, ...flags } }));
  }

  private constructor(server: TestServer) {
    this.server = server;
  }

  get udpPort(): number {
    const port = /udp:\/\/127\.0\.0\.1:(\d+)/.exec(this.server.log)?.[1];
    if (port === undefined) throw new Error(`no UDP port in: ${this.server.log}`);
    return Number(port);
  }

  get libraryFolder(): string {
    return join(this.server.folder, "library");
  }

  /** Adds a file to the library. */
  put(name: string, bytes: Uint8Array): string {
    const path = join(this.libraryFolder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes);
    return path;
  }

  /** Downloads a whole song. `port` is that of a proxy, if there is one. */
  async get(name: string, options: Partial<SongUdpOptions> = {}): Promise<Received> {
    const download = await openSongUdp({ host: "127.0.0.1", port: this.udpPort, name, ...options });
    return await receive(download);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.dispose();
  }
}

export async function receive(download: SongDownload): Promise<Received> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of download.chunks) chunks.push(chunk);
  return { bytes: new Uint8Array(Buffer.concat(chunks)), result: await download.result, download };
}
