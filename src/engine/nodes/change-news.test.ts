import { expect, test } from "bun:test";
import { newsIntervalMs } from "../../base/limits/nodes.ts";
import { openLog } from "../../base/log/log.ts";
import type { Bus, BusMessage } from "../../bus/bus.ts";
import type { KeeperClient } from "../../pool/keeper-client.ts";
import { until } from "../../testing/harness/until.ts";
import { ChangeNews } from "./change-news.ts";

interface Host {
  published: string[];
  looks: string[];
  /** The keeper says that this node has changed what others look for. */
  share: () => void;
  /** Another node says so. */
  hear: () => void;
  news: ChangeNews;
}

function open(look: () => Promise<null> = async () => null): Host {
  const [published, looks]: string[][] = [[], []];
  const watchers = new Map<string, () => void>();
  const heard: ((message: BusMessage) => void)[] = [];
  const bus: Bus = {
    isConnected: true,
    publish: (subject) => Boolean(published!.push(subject)),
    subscribe: (_subject, onMessage) => {
      heard.push(onMessage);
      return () => void heard.splice(0);
    },
    request: async () => undefined,
  };
  const keeper = {
    call: async (call: string) => {
      looks!.push(call);
      return await look();
    },
    watchChanges: (what: string, onChanged: () => void) => void watchers.set(what, onChanged),
  } as unknown as KeeperClient;
  const news = new ChangeNews(bus, keeper, openLog("test"));
  const hear = () => heard[0]?.({ payload: new Uint8Array(0), respond: () => {} });
  return { published: published!, looks: looks!, share: () => watchers.get("shared")!(), hear, news };
}

test("a change here reaches the other nodes, and one of theirs makes this one look at once", () => {
  const { published, looks, share, hear, news } = open();
  share();
  expect([published, looks]).toEqual([["changed"], []]);
  hear();
  expect([published, looks]).toEqual([["changed"], ["lookForNews"]]);
  news.close();
});

test("many changes cost few looks, and the last one is looked for", async () => {
  const { looks, hear, news } = open();
  for (let at = 0; at < 100; at++) hear();
  expect(looks.length).toBe(1);
  await until("the second look", 5_000, () => looks.length === 2);
  await Bun.sleep(3 * newsIntervalMs);
  expect(looks.length).toBe(2);
  news.close();
});

test("a catalog that cannot be looked at is looked at again by the next change", async () => {
  const { looks, hear, news } = open(() => Promise.reject(new Error("away")));
  hear();
  await Bun.sleep(2 * newsIntervalMs);
  hear();
  expect(looks.length).toBe(2);
  news.close();
  hear();
  expect(looks.length).toBe(2);
});
