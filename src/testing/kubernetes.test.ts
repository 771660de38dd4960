/** Keeps the manifests of Kubernetes in step with the program, and valid. */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { defaultDrainSeconds, settleGraceMs } from "../base/limits/connections.ts";
import { readConfig } from "../config/config.ts";
import { temporaryFolder } from "./fixtures/temporary-folder.ts";

const folder = join(import.meta.dir, "../../deploy/kubernetes");
const files = readdirSync(folder).filter((name) => name !== "kustomization.yaml");

/** A part of a manifest. */
type Part = Record<string, unknown>;

function documentsIn(name: string): Part[] {
  const texts = readFileSync(join(folder, name), "utf8").split(/^---$/m);
  return texts.map((text) => Bun.YAML.parse(text) as Part);
}

const resources = files.flatMap(documentsIn);

/** What lies at a path such as `spec.template`, in the only resource of this kind and name. */
function at(kind: string, name: string, path: string): unknown {
  const found = resources.filter(
    (each) => each["kind"] === kind && (each["metadata"] as Part)["name"] === name,
  );
  expect(found).toHaveLength(1);
  return path.split(".").reduce<unknown>((part, key) => (part as Part)[key], found[0]);
}

const pod = at("StatefulSet", "wavecache", "spec.template.spec") as {
  enableServiceLinks: boolean;
  terminationGracePeriodSeconds: number;
  containers: [
    {
      env: { name: string; value: string }[];
      ports: { name: string; containerPort: number }[];
      lifecycle: { preStop: { sleep: { seconds: number } } };
      volumeMounts: { name: string; mountPath: string }[];
    } & Record<
      "startupProbe" | "livenessProbe" | "readinessProbe",
      { httpGet: { path: string; port: string } }
    >,
  ];
  volumes: { name: string }[];
};
const [container] = pod.containers;

/** The configuration as the server in the pod reads it. */
function configInPod() {
  using place = temporaryFolder();
  const path = join(place.path, "wavecache.toml");
  const data = at("ConfigMap", "wavecache", "data") as Record<string, string>;
  writeFileSync(path, data["wavecache.toml"]!);
  const environment = Object.fromEntries(container.env.map(({ name, value }) => [name, value]));
  return readConfig(["--config", path, "--host", "0.0.0.0"], environment)!;
}

describe("the manifests of Kubernetes", () => {
  test("are all in the kustomization", () => {
    const { resources: listed } = documentsIn("kustomization.yaml")[0] as { resources: string[] };
    expect(listed.toSorted()).toEqual(files.toSorted());
  });

  test("select the pod, by the same label everywhere", () => {
    const label = { "app.kubernetes.io/name": "wavecache" };
    expect(at("StatefulSet", "wavecache", "spec.template.metadata.labels")).toEqual(label);
    for (const name of ["wavecache", "wavecache-pods"])
      expect(at("Service", name, "spec.selector")).toEqual(label);
    for (const kind of ["StatefulSet", "PodDisruptionBudget"])
      expect(at(kind, "wavecache", "spec.selector.matchLabels")).toEqual(label);
    expect(at("NetworkPolicy", "wavecache", "spec.podSelector.matchLabels")).toEqual(label);
    expect(at("StatefulSet", "wavecache", "spec.serviceName")).toBe("wavecache-pods");
  });

  test("open the ports that the server has by its configuration", () => {
    const { port, ingestPort, grpcPort, udpPort, tlsPort } = configInPod();
    const ports = Object.fromEntries(container.ports.map(({ name, containerPort }) => [name, containerPort]));
    const configured: Record<string, unknown> = { http: port, ingest: ingestPort, grpc: grpcPort };
    expect<Record<string, unknown>>(ports).toEqual(configured);
    expect([udpPort, tlsPort]).toEqual(["off", "off"]);
  });

  test("probe for what the server answers, and set no variables that it would read as options", () => {
    const probes = [container.startupProbe, container.livenessProbe, container.readinessProbe];
    expect(probes.map(({ httpGet }) => httpGet.path)).toEqual(["/healthz", "/healthz", "/readyz"]);
    expect(pod.enableServiceLinks).toBe(false);
  });

  test("leave the server the time that it takes to drain", () => {
    const { drainSeconds } = configInPod();
    expect(drainSeconds).toBeGreaterThan(defaultDrainSeconds);
    const needed = container.lifecycle.preStop.sleep.seconds + drainSeconds + settleGraceMs / 1000;
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(needed);
  });

  test("mount every volume that they declare, and the secret where the configuration expects it", () => {
    const mounts = new Map(container.volumeMounts.map(({ name, mountPath }) => [name, mountPath]));
    const declared = [...pod.volumes.map(({ name }) => name), "data"];
    expect([...mounts.keys()].toSorted()).toEqual(declared.toSorted());
    expect(configInPod().jwtSecretFile).toStartWith(`${mounts.get("jwt")}/`);
    const image = readFileSync(join(folder, "../../Dockerfile"), "utf8");
    expect(image).toContain(`VOLUME ${mounts.get("data")}`);
  });

  test.skipIf(Bun.which("kubernetes-validate") === null)("fit the schemas, by kubernetes-validate", () => {
    const paths = files.map((name) => join(folder, name));
    const { exitCode, stdout, stderr } = Bun.spawnSync([
      "kubernetes-validate",
      "--strict",
      "--no-warn",
      ...paths,
    ]);
    expect(`${stdout}${stderr}`).toContain("passed for resource statefulset/wavecache");
    expect(exitCode, `${stdout}${stderr}`).toBe(0);
  });
});
