import { expect, test } from "bun:test";
import { WavecacheError } from "../../base/errors.ts";
import { openLog } from "../../base/log/log.ts";
import { until } from "../../testing/harness/until.ts";
import { noFindings } from "../../store/streams/audio-reading.ts";
import { AudioReadings, type ReadingHost } from "./audio-readings.ts";

/** A catalog of these ids. `inspect` answers by the path, which is the id. */
const whole: ReadingHost["whole"] = async ({ sha256 }) => sha256!;

function host(ids: string[], inspect: ReadingHost["encoders"]["inspect"]) {
  const changes: Record<string, unknown>[] = [];
  const waiting = [...ids];
  const call = async (name: string, args: Record<string, unknown>) => {
    if (name === "undescribed")
      return waiting.map((id) => ({ streamId: id, key: "k", sha256: id, format: "x" }));
    waiting.splice(waiting.indexOf(args["streamId"] as string), 1);
    changes.push(args);
    return args;
  };
  const keeper = { call } as unknown as ReadingHost["keeper"];
  return { changes, waiting, host: { keeper, encoders: { inspect }, whole, changed: () => {} } };
}

test("audio that ends the thread counts as read, and the next one is read", async () => {
  const { changes, host: made } = host(["bad", "good"], async ({ path }) => {
    if (path === "bad") throw new WavecacheError("WORKER_LOST");
    return { ...noFindings, tags: { title: "Good" } };
  });
  new AudioReadings(made, openLog("test")).start();
  await until("both to be read", 5_000, () => changes.length === 2);
  expect(changes[0]).toMatchObject({ streamId: "bad", ...noFindings });
  expect(changes[1]).toMatchObject({ streamId: "good", tags: { title: "Good" } });
});

test("streams wait for the next start if there is no thread for them", async () => {
  let canRead = false;
  const {
    changes,
    waiting,
    host: made,
  } = host(["a"], async () => {
    if (!canRead) throw new WavecacheError("DESCRIPTORS_EXHAUSTED");
    return noFindings;
  });
  const readings = new AudioReadings(made, openLog("test"));
  readings.start();
  await Bun.sleep(0);
  expect([waiting, changes]).toEqual([["a"], []]);
  canRead = true;
  await until("the stream to be read", 5_000, () => {
    readings.start();
    return changes.length === 1;
  });
});
