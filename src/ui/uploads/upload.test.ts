import { describe, expect, test } from "bun:test";
import { ClientError } from "../../client/errors.ts";
import { Upload, type UploadRecord } from "./upload.ts";

const record: UploadRecord = { streamId: "take", name: "a/take.wav", type: "", size: 4, lastModified: 1 };
const file = new File(["wave"], "take.wav");
const sha256 = "ab".repeat(32);

/** A client whose uploads end with this error. */
function failing(serverCode: string): { upload: () => Promise<never> } {
  const error = new ClientError("REFUSED", "refused", undefined, { serverCode });
  return { upload: () => Promise.reject(error) };
}

describe("an upload", () => {
  test("needs its file again after a reload that did not keep it", () => {
    expect(new Upload(record, undefined).state.value).toBe("needs file");
    expect(new Upload(record, file).state.value).toBe("waiting");
  });

  test("is done if the server had finished it before the page was closed", async () => {
    const upload = new Upload(record, file);
    await upload.run(failing("STREAM_FINISHED"), () => Promise.resolve({ size: 4, sha256 }));
    expect([upload.state.value, upload.sha256.value]).toEqual(["done", sha256]);
  });

  test("fails if the finished stream of its id is another one", async () => {
    const upload = new Upload(record, file);
    await upload.run(failing("STREAM_EXISTS"), () => Promise.resolve({ size: 5, sha256 }));
    expect(upload.state.value).toBe("failed");
  });

  test("fails with what the server says", async () => {
    const upload = new Upload(record, file);
    await upload.run(failing("CACHE_FULL"), () => Promise.resolve({ size: 4, sha256 }));
    expect(upload.error.value).toMatchObject({ serverCode: "CACHE_FULL" });
  });
});
