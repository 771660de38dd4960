/**
 * How long a server takes to know who asks, and whether that is allowed, on one thread: with 10,000 tokens, one of which
 * has 1,000 grants.
 *
 *     bun bench/micro/access.ts [--quick]
 */
import { Links } from "../../src/access/links.ts";
import { Grants } from "../../src/access/grants.ts";
import type { Principal } from "../../src/access/principal.ts";
import { ServerAccess } from "../../src/access/server-access.ts";
import type { SessionStore } from "../../src/access/sessions.ts";
import { newToken, type TokenStore } from "../../src/access/tokens.ts";
import { openLog } from "../../src/base/log/log.ts";
import type { KeeperResult } from "../../src/store/keeper-calls.ts";
import { type Case, compare, millions, quick } from "./measure.ts";

const tokens = quick ? 10 : 10_000;
const grants = quick ? 10 : 1_000;
const checks = quick ? 1 : 1_000;
const address = "192.0.2.1";

function manyGrants(make: (index: number) => string): Grants {
  return Grants.parse(Array.from({ length: grants }, (_, index) => make(index)).join(" "));
}

function made(of: Grants) {
  return newToken({ grants: of, limits: {}, note: "", expiresAt: null });
}

const exact = made(manyGrants((index) => `read:streams/kitchen-${index}`));
const globs = made(manyGrants((index) => `read:streams/kitchen-${index}-*`));
const others = Array.from({ length: tokens }, () => made(Grants.everything));
const rows = [exact, globs, ...others].map(({ row }) => row);

const store: TokenStore & SessionStore = { call: async () => rows as KeeperResult<never> };
const links = new Links([Buffer.alloc(32, 1)]);
const closedMark = { isSet: false, set: async () => {} };
const settings = {
  store,
  closedMark,
  isOpen: false,
  anonymous: undefined,
  isLoopback: true,
  jwts: undefined,
  openLinks: async () => links,
};
const access = new ServerAccess({ ...settings, log: openLog("bench") });
await access.open();

function checking(name: string, secret: string, resource: string, isAllowed: boolean): Case {
  const run = () => {
    for (let left = checks; left > 0; left -= 1) {
      const principal = access.authenticate({ secret }, address) as Principal;
      if (principal.may("read", resource) !== isAllowed) throw new Error(`${name}: wrong`);
    }
    return checks;
  };
  return { name, run, show: millions("checks") };
}

const last = grants - 1;
await compare("ACCESS", [
  checking("1,000 names, allowed", exact.text, `streams/kitchen-${last}`, true),
  checking("1,000 names, refused", exact.text, "streams/hall", false),
  checking("1,000 globs, allowed by the last", globs.text, `streams/kitchen-${last}-a`, true),
  checking("1,000 globs, refused", globs.text, "streams/kitchen-x", false),
  checking("1 grant for everything", others[0]!.text, "streams/a", true),
]);
await access.close();
