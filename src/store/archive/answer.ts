/** Bodies of answers of an object store: read up to a limit, and the few elements of its XML that are needed. */

/** Rejects with a RangeError if there are more bytes than that: a store that ignores a range could send gigabytes. */
export async function readBody(response: Response, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const length = response.headers.get("content-length");
  if (Number(length) > maxBytes) throw tooLong(maxBytes);
  // HTTP ends the body at its length: it is taken as a whole, at a third of the cost of its parts.
  return length === null ? await readParts(response, maxBytes) : new Uint8Array(await response.arrayBuffer());
}

async function readParts(response: Response, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of response.body ?? []) {
    bytes += part.length;
    if (bytes > maxBytes) throw tooLong(maxBytes);
    parts.push(part);
  }
  return new Uint8Array(Buffer.concat(parts));
}

function tooLong(maxBytes: number): RangeError {
  return new RangeError(`the answer has more than ${maxBytes} bytes`);
}

/** The texts of all elements of this name, which have no elements within. */
export function textsOf(xml: string, name: string): string[] {
  const element = new RegExp(`<${name}(?:\\s[^>]*)?>([^<]*)</${name}>`, "g");
  return [...xml.matchAll(element)].map(([, text]) => unescape(text!));
}

/** The contents of all elements of this name, which do not nest. */
export function elementsOf(xml: string, name: string): string[] {
  const element = new RegExp(`<${name}(?:\\s[^>]*)?>(.*?)</${name}>`, "gs");
  return [...xml.matchAll(element)].map(([, content]) => content!);
}

const entities: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", "#34": '"' };

function unescape(text: string): string {
  return text.replace(/&(amp|lt|gt|quot|apos|#34);/g, (_whole, name: string) => entities[name]!);
}

/** For a text in an element. */
export function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
