import { afterEach, describe, expect, test } from "bun:test";
import { toWavecacheError } from "../../base/errors.ts";
import { Bucket } from "./bucket.ts";

let server: Bun.Server<undefined> | undefined;

afterEach(() => server?.stop(true));

/** A bucket whose every request gets this answer. */
function bucketWith(status: number, body: string): Bucket {
  server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response(body, { status }) });
  return new Bucket({
    endpoint: `http://127.0.0.1:${server.port}`,
    region: "us-east-1",
    bucket: "audio",
    prefix: "store/",
    accessKeyId: "key",
    secretAccessKey: "secret",
    sessionToken: undefined,
  });
}

async function codeOf(request: Promise<unknown>): Promise<string | undefined> {
  try {
    await request;
  } catch (error) {
    return toWavecacheError(error).code;
  }
  return undefined;
}

/** What asks whether something is there. */
const requests: [string, (bucket: Bucket) => Promise<unknown>][] = [
  ["get", (bucket) => bucket.get("objects/aa/aa.1", 0, 10)],
  ["getWhole", (bucket) => bucket.getWhole("sums/aa/aa.1", 10)],
  ["remove", (bucket) => bucket.remove("objects/aa/aa.1")],
  ["listParts", (bucket) => bucket.listParts("objects/aa/aa.1", "upload")],
  ["putPart", (bucket) => bucket.putPart("objects/aa/aa.1", "upload", 1, new Blob(["part"]), "AAAAAA==")],
  ["abortParts", (bucket) => bucket.abortParts("objects/aa/aa.1", "upload")],
];

describe("an answer with status 404", () => {
  test.each(requests)("says that nothing is there if the store gives that reason: %s", async (_, ask) => {
    const code = await codeOf(ask(bucketWith(404, "<Error><Code>NoSuchKey</Code></Error>")));
    expect(code ?? "OBJECT_MISSING").toBe("OBJECT_MISSING");
  });

  test.each(requests)(
    "is no answer of the store without a reason, as a proxy gives it: %s",
    async (_, ask) => {
      expect(await codeOf(ask(bucketWith(404, "404 page not found")))).toBe("ARCHIVE_UNAVAILABLE");
    },
  );

  test.each(requests)("is none of the object if the bucket is gone: %s", async (_, ask) => {
    const bucket = bucketWith(404, "<Error><Code>NoSuchBucket</Code></Error>");
    expect(await codeOf(ask(bucket))).toBe("ARCHIVE_UNAVAILABLE");
  });
});
