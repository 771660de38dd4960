/**
 * Grants: which actions are allowed on which resources. As text, separated by spaces:
 *
 *     ACTION,ACTION:RESOURCE,RESOURCE@NETWORK,NETWORK
 *
 * `*` instead of the actions stands for all of them. Without resources a grant is for all resources, without networks
 * for all addresses. A space, a comma, `@`, `*` or `%` in a resource is percent-encoded.
 */
import { AddressList } from "../base/address-list.ts";
import { maxGrantChars, maxGrants } from "../base/limits/access.ts";
import { type Action, actions, isAction } from "./actions.ts";
import { Glob } from "./glob.ts";

/** A text that is no grant. The message is one line, for whoever wrote the text. */
export class GrantError extends Error {}

interface Grant {
  text: string;
  actions: readonly Action[];
  resources: readonly Glob[];
  /** Undefined for all addresses. */
  networks: AddressList | undefined;
}

/** What the grants say of one action: resources without stars and networks are found by name. */
interface Rules {
  exact: Set<string>;
  globs: { glob: Glob; networks: AddressList | undefined }[];
}

/** Actions, resources and networks. */
const shape = /^([^:@]+)(?::([^@]+))?(?:@(.+))?$/;

export class Grants {
  static readonly none = new Grants([]);
  static readonly everything = Grants.parse("*");

  readonly #grants: readonly Grant[];
  readonly #rules = new Map<Action, Rules>();

  private constructor(grants: readonly Grant[]) {
    this.#grants = grants;
    for (const grant of grants) for (const action of grant.actions) this.#add(action, grant);
  }

  /** Throws a `GrantError`. */
  static parse(text: string): Grants {
    const texts = text.split(/\s+/).filter(Boolean);
    if (texts.length > maxGrants)
      throw new GrantError(`${texts.length} grants, and ${maxGrants} are allowed`);
    return new Grants(texts.map(parseGrant));
  }

  /** One action on one resource, whatever characters its name has. */
  static of(action: Action, resource: string): Grants {
    const encoded = resource.split("/").map(encodeURIComponent).join("/").replaceAll("*", "%2A");
    return Grants.parse(`${action}:${encoded}`);
  }

  /** `address`: of the peer. */
  allows(action: Action, resource: string, address: string): boolean {
    const rules = this.#rules.get(action);
    if (rules === undefined) return false;
    if (rules.exact.has(resource)) return true;
    return rules.globs.some(({ glob, networks }) => glob.matches(resource) && isIn(networks, address));
  }

  /** Whether they allow the action on anything whose name begins with this prefix. */
  reaches(action: Action, prefix: string, address: string): boolean {
    const rules = this.#rules.get(action);
    if (rules === undefined) return false;
    for (const resource of rules.exact) if (resource.startsWith(prefix)) return true;
    return rules.globs.some(({ glob, networks }) => glob.reaches(prefix) && isIn(networks, address));
  }

  /** Whether one of them is for everything that this pattern matches. True only for the pattern itself, or `**`. */
  covers(action: Action, pattern: string, address: string): boolean {
    const globs = this.#rules.get(action)?.globs ?? [];
    return globs.some(
      ({ glob: { source }, networks }) => (source === "**" || source === pattern) && isIn(networks, address),
    );
  }

  /** As `parse` reads them. */
  toString(): string {
    return this.#grants.map(({ text }) => text).join(" ");
  }

  #add(action: Action, { resources, networks }: Grant): void {
    const rules = this.#rules.get(action) ?? { exact: new Set(), globs: [] };
    this.#rules.set(action, rules);
    for (const glob of resources) {
      if (glob.isLiteral && networks === undefined) rules.exact.add(glob.head);
      else rules.globs.push({ glob, networks });
    }
  }
}

function isIn(networks: AddressList | undefined, address: string): boolean {
  return networks === undefined || networks.has(address);
}

function parseGrant(text: string): Grant {
  if (text.length > maxGrantChars) throw new GrantError(`a grant is longer than ${maxGrantChars} characters`);
  const [, actionTexts, resourceTexts, networkTexts] = shape.exec(text) ?? [];
  if (actionTexts === undefined)
    throw new GrantError(`"${text}" is no grant: expected one such as read,list:library/**`);
  return {
    text,
    actions: parseActions(actionTexts),
    resources: (resourceTexts ?? "**").split(",").map(parseResource),
    networks: networkTexts === undefined ? undefined : parseNetworks(networkTexts),
  };
}

function parseActions(text: string): readonly Action[] {
  if (text === "*") return actions;
  return text.split(",").map((name) => {
    if (isAction(name)) return name;
    throw new GrantError(`"${name}" is no action: expected ${actions.join(", ")}, or * for all of them`);
  });
}

function parseResource(text: string): Glob {
  if (text === "**" || text === "server" || /^(?:streams|recordings|library|devices)\/./.test(text)) {
    try {
      return new Glob(text);
    } catch (error) {
      if (!(error instanceof URIError)) throw error;
    }
  }
  throw new GrantError(
    `"${text}" is no resource: expected streams/ID, recordings/DEVICE, library/NAME, devices/ID or **`,
  );
}

function parseNetworks(text: string): AddressList {
  const networks = AddressList.parse(text);
  if (networks === undefined)
    throw new GrantError(`"${text}" is no network: expected one such as 10.0.0.0/8`);
  return networks;
}
