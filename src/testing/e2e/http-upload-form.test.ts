/** Uploads of forms, as browsers send them. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Random } from "../harness/bytes.ts";
import { digestOf, expectStored, HttpUpload, refusal, type Stored } from "../harness/http/http-upload.ts";
import { streamInfo } from "../harness/http/streams.ts";
import { freshId } from "../harness/peers/audio-cache.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { until } from "../harness/until.ts";

useServers();

const audio = new Uint8Array(new Random(1).bytes(3_000_017));

let server: TestServer;

beforeAll(async () => {
  server = await TestServer.start();
});

afterAll(async () => {
  await server.dispose();
});

function form(files: [name: string, bytes: Uint8Array<ArrayBuffer>, type: string][]): FormData {
  const data = new FormData();
  data.append("note", "a field that is no file");
  for (const [name, bytes, type] of files) data.append("audio", new Blob([bytes], { type }), name);
  return data;
}

async function post(body: FormData, headers: Record<string, string> = {}): Promise<Response> {
  return await fetch(`${server.httpBase}/api/streams`, { method: "POST", body, headers });
}

function head(name: string): string {
  return `--xyz\r\nContent-Disposition: form-data; name="f"; filename="${name}"\r\n\r\n`;
}

describe("a form", () => {
  test("stores each of its files with name and type", async () => {
    const small = new Uint8Array(new Random(5).bytes(1000));
    const files = [
      ["Grüße 歌.wav", audio, "audio/wav"],
      ["empty.ogg", new Uint8Array(0), "audio/ogg"],
      ["small.mp3", small, "audio/mpeg"],
    ] as [string, Uint8Array<ArrayBuffer>, string][];
    const answer = await post(form(files));
    expect(answer.status).toBe(201);
    const { streams } = (await answer.json()) as { streams: (Stored & { name: string })[] };
    expect(streams.map(({ name, size }) => [name, size])).toEqual(
      files.map(([name, bytes]) => [name, bytes.length]),
    );
    for (const [index, { streamId, name }] of streams.entries()) {
      const [, bytes, type] = files[index]!;
      expect((await streamInfo(server.httpBase, streamId))!.metadata).toMatchObject({
        contentType: type,
        tags: { name },
      });
      if (bytes.length > 0) await expectStored(server.httpBase, streamId, bytes);
    }
  });

  test("without a file, or with what belongs to a single one, is refused", async () => {
    expect(await refusal(await post(form([])))).toBe("411 BODY_MISSING");
    const one = form([["a.wav", audio, "audio/wav"]]);
    expect(await refusal(await post(one, { "content-digest": digestOf(audio) }))).toBe("400 BAD_REQUEST");
    const named = await fetch(`${server.httpBase}/api/streams?name=x`, { method: "POST", body: one });
    expect(await refusal(named)).toBe("400 BAD_REQUEST");
  });

  test("that is cut off keeps the files before, and an unfinished stream", async () => {
    using upload = await HttpUpload.open(server.httpBase, "/api/streams", {
      method: "POST",
      length: 10_000,
      headers: { "content-type": "multipart/form-data; boundary=xyz" },
    });
    const [whole, cut] = [freshId("whole"), freshId("part")];
    upload.send(Buffer.from(`${head(whole)}abc\r\n${head(cut)}defg${"h".repeat(100)}`));
    await until("the beginning of the second file", 10_000, async () => {
      return ((await streamInfo(server.httpBase, cut))?.size ?? 0) > 0;
    });
    upload.cut();
    expect(await streamInfo(server.httpBase, whole)).toMatchObject({ state: "finished", size: 3 });
    expect(await streamInfo(server.httpBase, cut)).toMatchObject({ state: "unfinished" });
  });
});
