/**
 * `GET /metrics`: the state of the server in the Prometheus text format. The code that does the work keeps plain
 * numbers; a scrape reads them, so it never waits for a thread.
 */
import { Registry } from "prom-client";
import { serverResource } from "../../access/actions.ts";
import type { Principal } from "../../access/principal.ts";
import { errorResponse } from "../../listen/error-response.ts";
import type { HttpRoute } from "../../listen/route.ts";
import { register } from "./families.ts";
import { processFamilies } from "./process-figures.ts";
import { Sampler } from "./sampler.ts";
import { serverFamilies } from "./server-families.ts";
import type { Sources } from "./sources.ts";

export class Metrics {
  readonly #registry = new Registry();
  readonly #sampler: Sampler;

  constructor(sources: Sources) {
    for (const family of [...processFamilies(), ...serverFamilies(sources)]) register(this.#registry, family);
    this.#sampler = new Sampler(sources, this.#registry);
  }

  readonly route: HttpRoute = {
    handle: (request, url, { principal }) => {
      if (url.pathname !== "/metrics") return undefined;
      if (request.method !== "GET" && request.method !== "HEAD")
        return new Response("method not allowed\n", { status: 405, headers: { allow: "GET, HEAD" } });
      return this.#expose(principal);
    },
  };

  /** In the text format of Prometheus. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  close(): void {
    this.#sampler.close();
  }

  async #expose(principal: Principal): Promise<Response> {
    try {
      principal.require("metrics", serverResource);
    } catch (error) {
      return errorResponse(error);
    }
    return new Response(await this.text(), {
      headers: { "content-type": this.#registry.contentType, "cache-control": "no-store" },
    });
  }
}
