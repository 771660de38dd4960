import { describe, expect, test } from "bun:test";
import { until } from "../../testing/harness/until.ts";
import { type SweepHost, UploadSweep } from "./upload-sweep.ts";

/** An archive with these uploads, of which the catalog knows those in `items` and `streams`. */
class Place {
  readonly items: string[] = [];
  readonly streams: string[] = [];
  uploads: string[];

  constructor(...uploads: string[]) {
    this.uploads = uploads;
  }

  sweep(): UploadSweep {
    const keeper = { call: async (name: string, { after }: { after: string }) => this.#page(name, after) };
    const archiver = {
      call: async (name: string, args: { uploads: { uploadId: string }[] } | null) => {
        if (name === "unfinishedUploads")
          return this.uploads.map((uploadId) => ({ key: `k-${uploadId}`, uploadId }));
        const gone = new Set(args!.uploads.map(({ uploadId }) => uploadId));
        this.uploads = this.uploads.filter((each) => !gone.has(each));
        return null;
      },
    };
    return new UploadSweep({ keeper, archiver } as unknown as SweepHost, 20);
  }

  /** One upload a page. */
  #page(name: string, after: string): object[] {
    const all = name === "archiveUploads" ? this.items : this.streams;
    const next = all.find((uploadId) => uploadId > after);
    return next === undefined ? [] : [{ key: next, streamId: next, uploadId: next }];
  }
}

async function runToEnd(sweep: UploadSweep): Promise<number> {
  let removed = 0;
  while (!sweep.isOver) {
    await until("the next step", 5_000, () => sweep.isDue);
    removed += await sweep.run();
  }
  return removed;
}

describe("a sweep of uploads in parts", () => {
  test("removes those that no node knows, and no other", async () => {
    const place = new Place("a", "b", "c", "d");
    place.items.push("a", "b");
    place.streams.push("d");
    expect(await runToEnd(place.sweep())).toBe(1);
    expect(place.uploads).toEqual(["a", "b", "d"]);
  });

  test("spares those that a node has just begun, before and after it has noted them", async () => {
    const place = new Place("a", "b");
    const sweep = place.sweep();
    expect(await sweep.run()).toBe(0);
    expect(sweep.isDue).toBe(false);
    place.items.push("b");
    place.uploads.push("c");
    expect(await runToEnd(sweep)).toBe(1);
    expect(place.uploads).toEqual(["b", "c"]);
  });

  test("is over at once if there are none", async () => {
    const sweep = new Place().sweep();
    expect(await sweep.run()).toBe(0);
    expect(sweep.isOver).toBe(true);
  });
});
