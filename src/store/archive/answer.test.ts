import { expect, test } from "bun:test";
import { readBody } from "./answer.ts";

const ten = new Uint8Array(10).map((_, index) => index);

/** An answer in parts, without a length. */
function inParts(bytes: Uint8Array): Response {
  const parts = Array.from(bytes, (_, at) => bytes.slice(at, at + 1));
  const body = new ReadableStream({
    pull: (controller) => {
      const part = parts.shift();
      if (part === undefined) controller.close();
      else controller.enqueue(part);
    },
  });
  return new Response(body);
}

function whole(bytes: Uint8Array<ArrayBuffer>, length = bytes.length): Response {
  return new Response(bytes, { headers: { "content-length": String(length) } });
}

async function failureOf(reading: Promise<unknown>): Promise<unknown> {
  return await reading.then(
    () => undefined,
    (error: unknown) => error,
  );
}

test("a body is read whole, with a length and without one", async () => {
  expect(await readBody(whole(ten), 10)).toEqual(ten);
  expect(await readBody(inParts(ten), 10)).toEqual(ten);
  expect(await readBody(new Response(null), 10)).toHaveLength(0);
});

test("a body that is too long is refused by its length, or while it comes", async () => {
  expect(await failureOf(readBody(whole(ten), 9))).toBeInstanceOf(RangeError);
  expect(await failureOf(readBody(inParts(ten), 9))).toBeInstanceOf(RangeError);
});
