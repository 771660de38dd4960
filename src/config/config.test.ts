import { describe, expect, test } from "bun:test";
import { GiB, MiB } from "../base/limits/units.ts";
import { readConfig } from "./config.ts";
import { type Config, ConfigError } from "./schema.ts";

function refusal(args: string[], environment: Record<string, string> = {}): string {
  try {
    readConfig(args, environment);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return "not refused";
}

function readWithin8GiB(args: string[]): Config {
  return readConfig(args, {}, 8 * GiB)!;
}

describe("the configuration", () => {
  test("has defaults, and is frozen", () => {
    const config = readConfig([], {})!;
    expect(config).toMatchObject({
      host: "127.0.0.1",
      port: 8080,
      path: "/audio",
      cacheDir: "cache",
      recordingsDir: "data/received",
      libraryDir: "data/library",
      maxStreamBytes: 4 * 2 ** 30,
      maxCacheBytes: 8 * 2 ** 30,
      incompleteTtl: 86_400,
      ingestPort: 5096,
      rotateSeconds: 10,
      syncSeconds: 5,
      adpcmNibbles: "auto",
      fillGaps: false,
    });
    expect(Object.isFrozen(config)).toBe(true);
  });

  test("prefers a flag to its environment variable, and that to the default", () => {
    const environment = { WAVECACHE_PORT: "9000", WAVECACHE_CACHE_DIR: "/tmp/x" };
    expect(readConfig(["--port", "9001"], environment)).toMatchObject({ port: 9001, cacheDir: "/tmp/x" });
  });

  test("has no certificate unless both of its files are given", () => {
    expect(readConfig([], {})).toMatchObject({ tlsCert: undefined, tlsKey: undefined });
    const args = ["--tls-cert", "cert.pem", "--tls-key", "key.pem"];
    expect(readConfig(args, {})).toMatchObject({ tlsCert: "cert.pem", tlsKey: "key.pem" });
  });

  test("maps modes to the names of sounds", () => {
    expect(readConfig([], {})!.sounds).toEqual(new Map());
    const { sounds } = readConfig(["--sounds", "startup=hello.wav,1=a/b c=d.mp3, 5=ä.opus"], {})!;
    expect(sounds).toEqual(
      new Map([
        [0, "hello.wav"],
        [1, "a/b c=d.mp3"],
        [5, "ä.opus"],
      ]),
    );
  });

  test("reads webhooks with their names and filters", () => {
    expect(readConfig([], {})!.hook).toEqual([]);
    const { hook } = readConfig(
      [
        "--hook",
        "a=https://x.example/?k=1 stream.*,device.lost streams/a-*,devices/*; https://y.example/z * ;",
      ],
      {},
    )!;
    expect(hook.map(({ name, url }) => [name, url])).toEqual([
      ["a", "https://x.example/?k=1"],
      ["y.example", "https://y.example/z"],
    ]);
    const [some, all] = hook.map(({ filter }) => filter);
    const wanted = [
      { type: "stream.finished", subject: "streams/a-1" },
      { type: "device.lost", subject: "devices/lamp" },
    ];
    const unwanted = [
      { type: "stream.finished", subject: "streams/b" },
      { type: "device.button", subject: "devices/lamp" },
    ];
    for (const event of wanted) expect(some!.matches(event)).toBe(true);
    for (const event of unwanted) expect(some!.matches(event)).toBe(false);
    for (const event of [...wanted, ...unwanted]) expect(all!.matches(event)).toBe(true);
  });

  test("has an MQTT broker if its URL is given", () => {
    expect(readConfig([], {})).toMatchObject({ mqttUrl: undefined, mqttPrefix: "wavecache" });
    const given = readConfig(["--mqtt-url", "mqtts://broker.example:8883", "--mqtt-discovery", "off"], {});
    expect(given).toMatchObject({ mqttUrl: "mqtts://broker.example:8883", mqttDiscovery: "off" });
  });

  test("reads addresses to listen on, and paths of sockets", () => {
    expect(readConfig(["--listen", "10.0.0.5:80, [::1]:0,/run/a.sock,unix:/run/b.sock"], {})!.listen).toEqual(
      [
        { host: "10.0.0.5", port: 80 },
        { host: "::1", port: 0 },
        { host: "/run/a.sock", port: 0 },
        { host: "/run/b.sock", port: 0 },
      ],
    );
  });

  test("converts no text into a number", () => {
    expect(readConfig(["--cache-dir", "007"], {})!.cacheDir).toBe("007");
  });

  test("has switches, which may have a value", () => {
    const on = { WAVECACHE_FILL_GAPS: "1" };
    expect(readConfig(["--fill-gaps", "--port", "1"], {})).toMatchObject({ fillGaps: true, port: 1 });
    expect(readConfig(["--fill-gaps=true"], {})!.fillGaps).toBe(true);
    expect(readConfig([], on)!.fillGaps).toBe(true);
    expect(readConfig(["--no-fill-gaps"], on)!.fillGaps).toBe(false);
    expect(readConfig(["--fill-gaps=off"], on)!.fillGaps).toBe(false);
    expect(refusal(["--fill-gaps=maybe"])).toStartWith('--fill-gaps "maybe"');
    expect(refusal(["--fill-gaps", "maybe"])).toContain("maybe");
  });

  test("has switches of a single word, which may have a value too", () => {
    expect(readConfig(["--tls=off"], { WAVECACHE_TLS: "1" })!.tls).toBe(false);
    expect(readConfig(["--no-flash", "--tls=yes"], {})).toMatchObject({ flash: false, tls: true });
  });

  test("uses the last value of a flag that is given more than once", () => {
    expect(readConfig(["--port", "1", "--port=2", "--no-tls", "--tls"], {})).toMatchObject({
      port: 2,
      tls: true,
    });
    expect(refusal(["--cache-dir", "a", "--cache-dir"])).toContain("--cache-dir");
  });

  test("reads sizes with units, ports and off", () => {
    const args = [
      "--max-cache-bytes",
      "512MiB",
      "--max-stream-bytes=1000",
      "--udp-port",
      "off",
      "--port",
      "0",
    ];
    expect(readConfig(args, {})).toMatchObject({
      maxCacheBytes: 512 * 2 ** 20,
      maxStreamBytes: 1000,
      udpPort: "off",
      port: 0,
    });
  });

  test("reads what is kept as bytes, as an age, or as both", () => {
    const args = ["--keep-streams", "50GiB, 30d", "--keep-recordings", "12h", "--min-free=5GiB"];
    const dayMs = 24 * 3_600_000;
    expect(readConfig(args, {})).toMatchObject({
      keepStreams: { maxBytes: 50 * GiB, maxAgeMs: 30 * dayMs },
      keepRecordings: { maxAgeMs: dayMs / 2 },
      minFree: 5 * GiB,
    });
    expect(readConfig([], {})).toMatchObject({ keepStreams: undefined, minFree: undefined });
    for (const wrong of ["x", "30d,12h", "0d", "50GiB,", "-1d"])
      expect(refusal(["--keep-streams", wrong])).toContain("--keep-streams");
  });

  test.each([
    [["--port", "abc"], "--port"],
    [["--port", "65536"], "--port"],
    [["--port", "-1"], "--port"],
    [["--port"], "--port"],
    [["--workers", "0"], "--workers"],
    [["--max-connections-per-address", "0"], "--max-connections-per-address"],
    [["--max-message-bytes", "512KiB"], "--max-message-bytes"],
    [["--max-message-bytes", "65MiB"], "--max-message-bytes"],
    [["--path", "audio"], "--path"],
    [["--listen", "example"], "--listen"],
    [["--listen", "::1:80"], "--listen"],
    [["--listen", "127.0.0.1:70000"], "--listen"],
    [["--ready-fd", "1"], "--ready-fd"],
    [["--log-level", "loud"], "--log-level"],
    [["--max-cache-bytes", "4GB"], "--max-cache-bytes"],
    [["--cache-dir", ""], "--cache-dir"],
    [["--ingest-port", "on"], "--ingest-port"],
    [["--rotate-seconds", "0"], "--rotate-seconds"],
    [["--adpcm-nibbles", "middle"], "--adpcm-nibbles"],
    [["--tls-cert", "cert.pem"], "--tls-key"],
    [["--tls-key", "key.pem"], "--tls-cert"],
    [["--sounds", "6=a.wav"], "--sounds"],
    [["--sounds", "1=../a.wav"], "--sounds"],
    [["--sounds", "1=/etc/passwd"], "--sounds"],
    [["--sounds", "startup=a.wav,0=b.wav"], "--sounds"],
    [["--sounds", "hello.wav"], "--sounds"],
    [["--anonymous", "fly:streams/**"], '"fly" is no action'],
    [["--anonymous", "read:streams/**@here"], "--anonymous"],
    [["--jwt-secret-file", "a", "--jwt-jwks", "b"], "--jwt-jwks"],
    [["--hook", "ftp://x.example/"], "--hook"],
    [["--hook", "https://x.example/ strem.*"], "--hook"],
    [["--hook", "https://x.example/ stream.* streams/{a,b}"], "--hook"],
    [["--hook", "https://x.example/ stream.* streams/* more"], "--hook"],
    [["--hook", "a b=https://x.example/"], "--hook"],
    [["--hook", "https://x.example/1;https://x.example/2"], "--hook"],
    [["--hook", Array.from({ length: 65 }, (_, n) => `h${n}=https://x.example/`).join(";")], "--hook"],
    [["--hook-allow", "10.0.0.0/99"], "--hook-allow"],
    [["--on-event-types", "strem.*"], "--on-event-types"],
    [["--on-event", "[1]"], "--on-event"],
    [["--mqtt-url", "http://localhost"], "--mqtt-url"],
    [["--mqtt-url", "mqtt://"], "--mqtt-url"],
    [["--mqtt-url", "mqtt://user:secret@localhost"], "--mqtt-url"],
    [["--mqtt-url", "mqtt://localhost/topic"], "--mqtt-url"],
    [["--mqtt-prefix", "home/#"], "--mqtt-prefix"],
    [["--mqtt-prefix", "/home"], "--mqtt-prefix"],
    [["--mqtt-discovery", "a+b"], "--mqtt-discovery"],
    [["--bogus"], "--bogus"],
    [["--constructor"], "--constructor"],
    [["--cache-dir.x=1"], "--cache-dir.x"],
    [["--no-port"], "--no-port"],
    [["-p"], "-p"],
    [["stray"], "stray"],
    [["--", "stray"], "stray"],
  ])("refuses %j in one line that names it", (args, culprit) => {
    const message = refusal(args);
    expect(message).toContain(culprit);
    expect(message).not.toContain("\n");
  });

  test("refuses messages of all connections beyond half of the memory, and names both flags", () => {
    expect(readWithin8GiB([])).toMatchObject({ maxConnections: 4096, maxMessageBytes: MiB });
    expect(readWithin8GiB(["--max-message-bytes", "16MiB", "--max-connections", "256"])).toMatchObject({
      maxConnections: 256,
      maxMessageBytes: 16 * MiB,
    });
    for (const args of [
      ["--max-message-bytes", "16MiB", "--max-connections", "257"],
      ["--max-connections", "4097"],
      ["--max-message-bytes", "2MiB"],
    ]) {
      expect(() => readWithin8GiB(args)).toThrow(/--max-connections \d+ times --max-message-bytes \d+MiB/);
    }
  });

  test("lowers the default limit of connections on machines with little memory", () => {
    expect(readConfig([], {}, 2 * GiB)!.maxConnections).toBe(1024);
    expect(readConfig(["--max-connections", "1000"], {}, 2 * GiB)!.maxConnections).toBe(1000);
  });

  test("has a limit of connections per address, which is automatic unless given", () => {
    expect(readConfig([], {})!.maxConnectionsPerAddress).toBeUndefined();
    expect(readConfig(["--max-connections-per-address", "7"], {})!.maxConnectionsPerAddress).toBe(7);
  });

  test("names the environment variable that is wrong", () => {
    expect(refusal([], { WAVECACHE_WORKERS: "many" })).toStartWith('WAVECACHE_WORKERS "many"');
  });
});
