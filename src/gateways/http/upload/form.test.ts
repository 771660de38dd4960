import { describe, expect, test } from "bun:test";
import { WavecacheError } from "../../../base/errors.ts";
import { maxFormFiles } from "../../../base/limits/upload-http.ts";
import { Random } from "../../../testing/harness/bytes.ts";
import { formFiles } from "./form.ts";

const type = "multipart/form-data; boundary=xyz";

function request(body: string | Uint8Array, pieceBytes = 65_536, contentType = type): Request {
  const bytes = Buffer.from(body as never, "latin1");
  let at = 0;
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      controller.enqueue(new Uint8Array(bytes.subarray(at, (at += pieceBytes))));
    },
  });
  return { headers: new Headers({ "content-type": contentType }), body: stream } as unknown as Request;
}

function part(disposition: string, body: string, contentType = "audio/wav"): string {
  return `--xyz\r\nContent-Disposition: form-data; ${disposition}\r\nContent-Type: ${contentType}\r\n\r\n${body}\r\n`;
}

/** The files as `NAME TYPE BYTES`, then the code of the error, if there is one. */
async function filesOf(form: Request): Promise<string[]> {
  const found: string[] = [];
  try {
    for await (const { name, type: mediaType, pieces } of formFiles(form)) {
      let bytes = 0;
      for (let piece = await pieces.next(); piece !== undefined; piece = await pieces.next())
        bytes += piece.length;
      found.push(`${name} ${mediaType} ${bytes}`);
    }
  } catch (error) {
    found.push(error instanceof WavecacheError ? error.code : String(error));
  }
  return found;
}

describe("a form", () => {
  test("gives its files in their order, in pieces of any length", async () => {
    const body = `${part('name="a"; filename="a.wav"', "x".repeat(200_000))}${part('name="note"', "hi", "text/plain")}${part(
      'name="b"; filename="album/b.ogg"',
      "",
      "audio/ogg",
    )}${part('name="c"; filename=""', "", "application/octet-stream")}--xyz--\r\n`;
    for (const pieceBytes of [65_536, 1000, 7]) {
      expect(await filesOf(request(body, pieceBytes))).toEqual([
        "a.wav audio/wav 200000",
        "album/b.ogg audio/ogg 0",
      ]);
    }
  });

  test("keeps names in any script, and bytes as they are", async () => {
    const bytes = Buffer.from(new Random(3).bytes(100_000));
    const head = '--xyz\r\nContent-Disposition: form-data; name="f"; filename="歌.wav"\r\n\r\n';
    const body = Buffer.concat([Buffer.from(head), bytes, Buffer.from("\r\n--xyz--\r\n")]);
    for await (const { name, pieces } of formFiles(request(body))) {
      expect(name).toBe("歌.wav");
      const found: Uint8Array[] = [];
      for (let piece = await pieces.next(); piece !== undefined; piece = await pieces.next())
        found.push(piece);
      expect(Buffer.compare(Buffer.concat(found), bytes)).toBe(0);
      // The upload detaches each piece.
      for (const piece of found) expect(piece.buffer.byteLength).toBe(piece.length);
    }
  });

  test("that is cut off is an error of the file, wherever the cut is", async () => {
    const body = `${part('name="a"; filename="a.wav"', "x".repeat(2000))}--xyz--\r\n`;
    for (let length = 0; length < body.length - 4; length += 1) {
      const found = await filesOf(request(body.slice(0, length), 500));
      expect([length, found.at(-1)]).toEqual([length, "BAD_REQUEST"]);
      expect(found.length).toBe(1);
    }
  });

  test("that is garbage is an error", async () => {
    const random = new Random(4);
    for (let round = 0; round < 50; round += 1) {
      const found = await filesOf(request(random.bytes(random.int(0, 100_000))));
      expect(found).toEqual(["BAD_REQUEST"]);
    }
    for (const contentType of ["multipart/form-data", "multipart/form-data; boundary="]) {
      expect(await filesOf(request("x", 10, contentType))).toEqual(["BAD_REQUEST"]);
    }
  });

  test("with too many parts is refused", async () => {
    for (const disposition of ['name="a"; filename="a.wav"', 'name="a"']) {
      const body = `${part(disposition, "x", "text/plain").repeat(5000)}--xyz--\r\n`;
      const found = await filesOf(request(body));
      expect(found.at(-1)).toBe("FORM_TOO_LARGE");
      expect(found.length).toBeLessThanOrEqual(maxFormFiles + 1);
    }
  });

  test("with a long header keeps the beginning of that", async () => {
    const body = `${part(`name="a"; filename="${"n".repeat(100_000)}"`, "x")}--xyz--\r\n`;
    const [file] = await filesOf(request(body));
    expect(file).toMatch(/^n{7000,8192} text\/plain 1$/);
  });

  test("is read no further than its reader", async () => {
    let pulled = 0;
    const piece = new Uint8Array(65_536);
    const stream = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          pulled += 1;
          const head =
            pulled === 1 ? Buffer.from(part('name="a"; filename="a.wav"', "").slice(0, -2)) : piece;
          controller.enqueue(new Uint8Array(head));
        },
      },
      { highWaterMark: 0 },
    );
    const endless = { headers: new Headers({ "content-type": type }), body: stream } as unknown as Request;
    for await (const { pieces } of formFiles(endless)) {
      for (let read = 0; read < 10; read += 1) await pieces.next();
      expect(pulled).toBeLessThan(20);
      break;
    }
  });
});
