/** Where clients go: mostly to the load balancer, now and then to a server by its own address. */
import type { Random } from "../../harness/bytes.ts";
import type { Machines } from "./machines.ts";

export interface Place {
  /** `http://HOST:PORT`. */
  origin: string;
  name: string;
}

export class Places {
  readonly #machines: Machines;
  readonly #random: Random;

  constructor(machines: Machines, random: Random) {
    this.#machines = machines;
    this.#random = random;
  }

  get servers(): Place[] {
    return this.#machines.all.map(({ origin, name }) => ({ origin, name }));
  }

  /** One of the servers. */
  server(): Place {
    return this.#random.pick(this.servers);
  }

  any(): Place {
    return this.#random.chance(80) ? { origin: this.#machines.proxy.origin, name: "HAProxy" } : this.server();
  }
}
