/** What happens to the servers of a cluster and to their links, one after the other. */
import type { Random } from "../../harness/bytes.ts";
import type { Fault } from "../../harness/servers/object-store.ts";
import type { TcpProxy } from "../../harness/tcp-proxy.ts";
import { until } from "../../harness/until.ts";
import type { Findings } from "./findings.ts";
import type { TroubleJournal } from "./journal.ts";
import { engines, type Machine, type Machines } from "./machines.ts";

export const faultKinds = ["kill", "stop", "freeze", "link", "store"] as const;
export type FaultKind = (typeof faultKinds)[number];

/** Shorter than a lease, and longer: whoever was frozen for it is not the owner of anything any more. */
const frozenMs = [3_000, 20_000] as const;
const readyMs = 60_000;
const storeFaults: readonly Fault[] = ["error 500", "slow down", "truncate", "cut", "lose answer"];

/** What a link can do, for how long, in ms. */
const linkFaults: Readonly<
  Record<string, { act: (link: TcpProxy, random: Random) => void; lastsMs: readonly [number, number] }>
> = {
  "is cut": { act: (link) => link.cut(), lastsMs: [0, 300] },
  // Longer than the time limits of the catalog, and shorter.
  "falls silent": { act: (link) => link.fallSilent(), lastsMs: [500, 12_000] },
  "is slow": { act: (link, random) => link.delay(random.int(50, 700)), lastsMs: [1_000, 8_000] },
  "is half-closed towards the engine": { act: (link) => link.halfClose("far"), lastsMs: [500, 3_000] },
  "is half-closed towards the server": { act: (link) => link.halfClose("near"), lastsMs: [500, 3_000] },
};

export class ClusterFaults {
  readonly happened: string[] = [];
  readonly #machines: Machines;
  readonly #journal: TroubleJournal;
  readonly #findings: Findings;
  readonly #random: Random;
  readonly #kinds: readonly FaultKind[];
  readonly #onFault: (line: string) => void;

  constructor(
    machines: Machines,
    journal: TroubleJournal,
    findings: Findings,
    random: Random,
    kinds: readonly FaultKind[],
    onFault: (line: string) => void,
  ) {
    this.#machines = machines;
    this.#journal = journal;
    this.#findings = findings;
    this.#random = random;
    this.#kinds = kinds;
    this.#onFault = onFault;
  }

  /** One fault, and its end. */
  async next(): Promise<void> {
    await this.#act(this.#random.pick(this.#machines.all)).catch(async (error: unknown) => {
      this.#findings.add(String(error));
      await this.heal();
    });
  }

  async #act(machine: Machine): Promise<void> {
    switch (this.#random.pick(this.#kinds)) {
      case "kill":
        return await this.#end(machine, "is killed", () => machine.kill9());
      case "stop":
        return await this.#end(machine, "is stopped", () => machine.stop());
      case "freeze":
        return await this.#freeze(machine);
      case "link":
        return await this.#failLink(machine);
      case "store":
        return await this.#failStore();
    }
  }

  /** Everything is reachable, and every server is ready. One that does not become ready is a fault, and is killed. */
  async heal(): Promise<void> {
    this.#machines.store.fault = () => "pass";
    for (const machine of this.#machines.all) {
      for (const engine of engines) machine.links[engine].restore();
      if (!machine.server.isRunning) await machine.restart();
      await this.#untilReady(machine).catch(async (error: unknown) => {
        this.#findings.add(String(error));
        const noteEnd = this.#journal.begin("kill", machine.number);
        await machine.kill9();
        await machine.restart();
        noteEnd();
      });
    }
  }

  async #untilReady(machine: Machine): Promise<void> {
    let said = "";
    const isReady = async () => {
      const answer = await fetch(`${machine.origin}/readyz`, { signal: AbortSignal.timeout(5_000) }).catch(
        String,
      );
      said = typeof answer === "string" ? answer : await answer.text();
      return typeof answer !== "string" && answer.status === 200;
    };
    await until(`${machine.name} is ready again`, readyMs, isReady, () => said);
  }

  async #end(machine: Machine, what: string, end: () => Promise<void>): Promise<void> {
    this.#note(`${machine.name} ${what}`, what);
    const noteEnd = this.#journal.begin("kill", machine.number);
    await end();
    await Bun.sleep(this.#random.int(0, 3_000));
    await machine.restart();
    noteEnd();
    await this.heal();
  }

  async #freeze(machine: Machine): Promise<void> {
    const lastsMs = this.#random.pick(frozenMs);
    this.#note(`${machine.name} is frozen for ${lastsMs / 1000} s`, "is frozen");
    const noteEnd = this.#journal.begin("freeze", machine.number);
    process.kill(machine.server.pid, "SIGSTOP");
    await Bun.sleep(lastsMs);
    process.kill(machine.server.pid, "SIGCONT");
    noteEnd();
    await this.heal();
  }

  async #failLink(machine: Machine): Promise<void> {
    const engine = this.#random.pick(engines);
    const [what, { act, lastsMs }] = this.#random.pick(Object.entries(linkFaults));
    this.#note(`the link of ${machine.name} to ${engine} ${what}`, `${engine} ${what}`);
    const noteEnd = this.#journal.begin("link", machine.number);
    act(machine.links[engine], this.#random);
    await Bun.sleep(this.#random.int(...lastsMs));
    await this.heal();
    noteEnd();
  }

  async #failStore(): Promise<void> {
    const fault = this.#random.pick(storeFaults);
    this.#note(`the object store: ${fault}`, `store: ${fault}`);
    const noteEnd = this.#journal.begin("store");
    this.#machines.store.fault = () => (this.#random.chance(50) ? fault : "pass");
    await Bun.sleep(this.#random.int(1_000, 5_000));
    await this.heal();
    noteEnd();
  }

  #note(line: string, what: string): void {
    this.happened.push(what);
    this.#onFault(line);
  }
}
