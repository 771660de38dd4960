/** What happens to the servers of a cluster and to their links, one after the other. */
import type { Random } from "../../harness/bytes.ts";
import type { Fault } from "../../harness/servers/object-store.ts";
import { until } from "../../harness/until.ts";
import { engines, type Machines } from "./machines.ts";

/** Longer than a lease: whoever was frozen for it is not the owner of anything any more. */
const frozenMs = 20_000;
const readyMs = 60_000;
const storeFaults: readonly Fault[] = ["error 500", "slow down", "truncate", "cut", "lose answer"];

export class ClusterFaults {
  readonly happened: string[] = [];
  readonly #machines: Machines;
  readonly #random: Random;
  readonly #onFault: (line: string) => void;

  constructor(machines: Machines, random: Random, onFault: (line: string) => void) {
    this.#machines = machines;
    this.#random = random;
    this.#onFault = onFault;
  }

  /** One fault, and its end. */
  async next(): Promise<void> {
    const faults = [() => this.#kill(), () => this.#freeze(), () => this.#cut(), () => this.#failStore()];
    await this.#random.pick(faults)();
  }

  /** Everything is reachable, and every server is ready. */
  async heal(): Promise<void> {
    this.#machines.store.fault = () => "pass";
    for (const { server } of this.#machines.all) {
      if (!server.isRunning) await server.restart();
      await until("the server is ready again", readyMs, async () => {
        const answer = await fetch(`${server.httpBase}/readyz`).catch(() => undefined);
        return answer?.status === 200;
      });
    }
  }

  async #kill(): Promise<void> {
    const { server } = this.#random.pick(this.#machines.all);
    this.#note("kill -9 of a server");
    await server.kill9();
    await Bun.sleep(this.#random.int(0, 3_000));
    await server.restart();
  }

  async #freeze(): Promise<void> {
    const { server } = this.#random.pick(this.#machines.all);
    this.#note("a server is frozen past its lease");
    process.kill(server.pid, "SIGSTOP");
    await Bun.sleep(frozenMs);
    process.kill(server.pid, "SIGCONT");
    await this.heal();
  }

  async #cut(): Promise<void> {
    const machine = this.#random.pick(this.#machines.all);
    const engine = this.#random.pick(engines);
    this.#note(`a server loses its connections to ${engine}`);
    for (let cut = 0; cut < 5; cut += 1) {
      machine.links[engine].cut();
      await Bun.sleep(this.#random.int(10, 500));
    }
    await this.heal();
  }

  async #failStore(): Promise<void> {
    const fault = this.#random.pick(storeFaults);
    this.#note(`the object store: ${fault}`);
    this.#machines.store.fault = () => (this.#random.chance(50) ? fault : "pass");
    await Bun.sleep(this.#random.int(1_000, 5_000));
    await this.heal();
  }

  #note(what: string): void {
    this.happened.push(what);
    this.#onFault(what);
  }
}
