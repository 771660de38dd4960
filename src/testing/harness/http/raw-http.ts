/** HTTP requests as bytes, for those that no client library would send. */
import { connect } from "node:net";
import { within } from "../until.ts";

const limitMs = 5_000;

export interface RawResponse {
  status: number;
  /** Names in lower case. */
  headers: Headers;
  body: string;
}

/** Sends the bytes of one request and reads the answer until the server closes or has sent a whole body. */
export async function rawHttp(port: number, request: string): Promise<RawResponse> {
  const socket = connect(port, "127.0.0.1");
  try {
    return await within("an HTTP answer", limitMs, readResponse(socket, request));
  } finally {
    socket.destroy();
  }
}

async function readResponse(socket: ReturnType<typeof connect>, request: string): Promise<RawResponse> {
  socket.write(request, "latin1");
  let text = "";
  for await (const chunk of socket) {
    text += (chunk as Buffer).toString("latin1");
    if (isWhole(text)) break;
  }
  return parseResponse(text);
}

function isWhole(text: string): boolean {
  const headEnd = text.indexOf("\r\n\r\n");
  if (headEnd < 0) return false;
  const { status, headers, body } = parseResponse(text);
  if (status === 101 || status === 204) return true;
  const length = headers.get("content-length");
  return length === null ? body.endsWith("0\r\n\r\n") : body.length >= Number(length);
}

function parseResponse(text: string): RawResponse {
  const headEnd = text.indexOf("\r\n\r\n");
  const [statusLine = "", ...lines] = text.slice(0, headEnd).split("\r\n");
  const fields = lines.map((line): [string, string] => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon), line.slice(colon + 1).trim()];
  });
  return {
    status: Number(statusLine.split(" ")[1]),
    headers: new Headers(fields),
    body: text.slice(headEnd + 4),
  };
}
