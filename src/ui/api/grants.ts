/** What the caller may do, so that the page shows no button that the server would refuse. The server decides. */
import { Glob } from "../../access/glob.ts";
import type { Action, ResourceFolder } from "../../access/actions.ts";

/** Actions, resources and networks, as the server writes them. */
const shape = /^([^:@]+)(?::([^@]+))?/;

interface Grant {
  actions: readonly string[];
  resources: readonly Glob[];
}

export class PageGrants {
  readonly #grants: readonly Grant[];

  constructor(texts: readonly string[]) {
    this.#grants = texts.map(parse);
  }

  /** Whether it may do this to the resource, such as `streams/ID`. */
  may(action: Action, resource: string): boolean {
    return this.#of(action).some((glob) => glob.matches(resource));
  }

  /** Whether there may be anything in the folder that it may do this to. */
  maySome(action: Action, folder: ResourceFolder): boolean {
    return this.#of(action).some((glob) => glob.reaches(`${folder}/`));
  }

  #of(action: Action): Glob[] {
    return this.#grants
      .filter(({ actions }) => actions.includes(action) || actions.includes("*"))
      .flatMap(({ resources }) => resources);
  }
}

function parse(text: string): Grant {
  const [, actions = "", resources = "**"] = shape.exec(text) ?? [];
  return { actions: actions.split(","), resources: resources.split(",").map((each) => new Glob(each)) };
}
